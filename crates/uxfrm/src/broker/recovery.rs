//! After an engine was replaced: its SAs are gone, the daemon's are not. Rekeying makes them anew.
//!
//! One pass is not enough: a CHILD_SA may be in the middle of a rekey, or the daemon busy or starting; so what the daemon has
//! is compared with what the engine has until nothing is missing.

use super::vici::{ChildSa, Vici};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// The daemon gives a peer up after 165 s of silence; its CHILD_SAs are gone then.
const PATIENCE: Duration = Duration::from_secs(200);
/// A rekey that was begun is not asked for again for so long.
const REPEAT: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What recovery needs of the broker.
pub trait Engine {
    /// The SPIs of the engine's SAs; `None` when it was replaced in turn, or the broker stops.
    fn spis(&self) -> Option<BTreeSet<u32>>;
}

/// How CHILD_SAs stand to the engine.
#[derive(Debug, Default, PartialEq, Eq)]
struct Comparison {
    /// To be rekeyed.
    missing: Vec<String>,
    /// Missing, and being made or rekeyed: to be looked at again.
    unsettled: usize,
    /// Only the outbound SA is missing. The responder of a rekey installs it a moment after the inbound one.
    half: HashSet<String>,
}

fn compare(children: &[ChildSa], spis: &BTreeSet<u32>, half_before: &HashSet<String>) -> Comparison {
    let has = |spi: &str| u32::from_str_radix(spi, 16).is_ok_and(|spi| spis.contains(&spi));
    let mut comparison = Comparison::default();
    for child in children {
        let (inbound, outbound) = (has(&child.spi_in), has(&child.spi_out));
        match child.state.as_str() {
            _ if inbound && outbound => {}
            "INSTALLED" if inbound && !half_before.contains(&child.unique_id) => {
                comparison.half.insert(child.unique_id.clone());
            }
            "INSTALLED" => comparison.missing.push(child.unique_id.clone()),
            "CREATED" | "INSTALLING" | "UPDATING" | "REKEYING" | "RETRYING" => comparison.unsettled += 1,
            // Traps have no SAs; the rest is on its way out.
            _ => {}
        }
    }
    comparison
}

/// Rekeys the CHILD_SAs that the daemon has and the engine has not, until there are none.
pub fn run(path: &Path, engine: &impl Engine) {
    let (start, mut pause) = (Instant::now(), FIRST_PAUSE);
    let (mut asked, mut half) = (HashMap::<String, Instant>::new(), HashSet::new());
    let mut count = 0;
    loop {
        let left = match round(path, engine, &mut asked, &mut half, &mut count) {
            Ok(Some(0)) => {
                tracing::info!(count, "all CHILD_SAs are in the engine; so many were rekeyed");
                return;
            }
            // Another recovery follows, or none is needed.
            Ok(None) => return,
            Ok(Some(left)) => Ok(left),
            // Not for ever in vain: the engine may have been replaced since, or the broker stopped.
            Err(_) if engine.spis().is_none() => return,
            Err(error) => Err(error),
        };
        if start.elapsed() > PATIENCE {
            tracing::error!(?left, "CHILD_SAs are missing in the engine, or the daemon cannot be asked");
            return;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One comparison. Returns how many CHILD_SAs are not yet there.
fn round(
    path: &Path,
    engine: &impl Engine,
    asked: &mut HashMap<String, Instant>,
    half: &mut HashSet<String>,
    count: &mut usize,
) -> io::Result<Option<usize>> {
    let mut vici = Vici::connect(path)?;
    // In this order: what the daemon calls installed is in the engine by the time that it is asked.
    let children = vici.list_child_sas()?;
    let Some(spis) = engine.spis() else { return Ok(None) };
    let comparison = compare(&children, &spis, half);
    let left = comparison.missing.len() + comparison.unsettled + comparison.half.len();
    *half = comparison.half;
    for id in comparison.missing {
        if asked.get(&id).is_some_and(|at| at.elapsed() < REPEAT) {
            continue;
        }
        if vici.rekey_child(&id)? {
            *count += 1;
            asked.insert(id, Instant::now());
        }
    }
    Ok(Some(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_rekeyed() {
        let child = |id: &str, state: &str, spi_in: &str, spi_out: &str| ChildSa {
            unique_id: id.into(),
            state: state.into(),
            spi_in: spi_in.into(),
            spi_out: spi_out.into(),
        };
        let children = [
            child("1", "INSTALLED", "c0000001", "c0000002"),
            child("2", "INSTALLED", "c0000003", "c0000004"),
            child("3", "REKEYING", "c0000005", "c0000006"),
            child("4", "REKEYED", "c0000007", "c0000008"),
            child("5", "INSTALLED", "c0000001", "c0000009"),
            child("6", "ROUTED", "", ""),
        ];
        let spis = BTreeSet::from([0xc000_0001, 0xc000_0002]);
        let half = HashSet::from(["5".to_owned()]);
        let first = compare(&children, &spis, &HashSet::new());
        assert_eq!(first, Comparison { missing: vec!["2".into()], unsettled: 1, half: half.clone() });
        let second = compare(&children, &spis, &half);
        assert_eq!(second.missing, ["2", "5"], "half a CHILD_SA for two rounds is a missing one");
    }
}
