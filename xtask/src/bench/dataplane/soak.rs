//! A soak: a steady load in both directions with a rekey every few seconds; packets lost, and memory over time.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::daemon::{Daemon, memory_mib};
use super::lab::{Lab, Side, Wire};
use super::load::udp::{Path, Trial};
use super::peers::{Peer, Settings, strongswan, uxfrm::Uxfrm};
use super::{check_machine, report::median};

/// Payload of a packet, bytes.
const PAYLOAD: usize = 1000;
/// By how much memory may be larger at rest afterwards than before: a share of it, and MiB. Under load a worker's buffers are in
/// memory as far as bursts have touched them, which is more and more; it gives them back when it rests.
const GROWTH: f64 = 1.1;
const SLACK_MIB: f64 = 0.25;
/// How often memory is looked at.
const SAMPLE: Duration = Duration::from_secs(5);
/// Looks after the load, a second apart: a rekey may come between.
const LAST_LOOKS: usize = 10;

/// `cargo xtask bench soak`.
#[derive(Debug, clap::Args)]
pub struct Soak {
    /// How long.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Load in each direction, Mbit/s of payload.
    #[arg(long, default_value_t = 100.0)]
    mbit: f64,
    /// Time between rekeys of the CHILD_SA, seconds.
    #[arg(long, default_value_t = 5)]
    rekey_seconds: u32,
    /// ESP proposal in swanctl's words.
    #[arg(long, default_value = "aes128gcm16")]
    esp: String,
    /// The `uxfrm` program, built with `cargo build --release --package uxfrm`.
    #[arg(long, default_value = "target/release/uxfrm")]
    uxfrm: PathBuf,
}

/// Memory of a gateway's processes at a moment, MiB.
#[derive(Clone, Copy)]
struct Sample {
    engine: f64,
    broker: f64,
    charon: f64,
}

/// Soaks and prints.
///
/// # Errors
/// When the lab can't be built, a packet was lost, or the memory of engine or broker has grown.
pub fn run(options: &Soak) -> anyhow::Result<()> {
    check_machine()?;
    let settings = Settings {
        uxfrm: vec![options.uxfrm.clone()],
        programs: PathBuf::new(),
        esp: options.esp.clone(),
        workers: vec![0],
        streams: 0,
        child: strongswan::rekeyed_every(options.rekey_seconds),
    };
    let peer = Uxfrm::new(&settings, &options.uxfrm, 0);
    if let Some(missing) = peer.missing() {
        anyhow::bail!(missing);
    }
    let lab = Lab::new("s", Wire::Gro)?;
    let daemons = peer.start(&lab)?;
    lab.wait_for_path()?;
    let paths = [Path::new(&lab, Side::A)?, Path::new(&lab, Side::B)?];
    let time = Duration::from_secs_f64(options.minutes * 60.0);
    let rate = options.mbit * 1e6 / 8.0 / PAYLOAD as f64;
    println!(
        "{:.1} minutes, {} Mbit/s each way in packets of {PAYLOAD} bytes, a rekey every {} s, {}",
        options.minutes, options.mbit, options.rekey_seconds, options.esp
    );
    let first = sample(&daemons)?;
    let (trials, samples) = std::thread::scope(|scope| {
        let sending = paths.each_ref().map(|path| scope.spawn(move || path.run(PAYLOAD, Some(rate), time)));
        let samples = watch(&daemons, time);
        (sending.map(|thread| thread.join().expect("a sender does not panic")), samples)
    });
    let mut lost = 0;
    for (trial, direction) in trials.into_iter().zip(["a to b", "b to a"]) {
        lost += tell(direction, &trial?);
    }
    let mut samples = samples?;
    samples.insert(0, first);
    tell_memory(&samples);
    let last = at_rest(&daemons)?;
    println!(
        "after the load: engine {:.2}, broker {:.2}, charon {:.2} MiB",
        last.engine, last.broker, last.charon
    );
    println!("CHILD_SAs made: {}", children_made(&lab)?);
    Side::BOTH.into_iter().try_for_each(|side| tell_drops(&lab, side))?;
    ensure!(lost == 0, "{lost} packets were lost");
    for (name, before, after) in
        [("engine", first.engine, last.engine), ("broker", first.broker, last.broker)]
    {
        ensure!(
            after <= before * GROWTH + SLACK_MIB,
            "the {name}'s memory has grown: {before:.2} to {after:.2} MiB"
        );
    }
    Ok(())
}

/// The least memory that was seen of each process after the load.
fn at_rest(daemons: &[Daemon]) -> anyhow::Result<Sample> {
    let mut least = Sample { engine: f64::MAX, broker: f64::MAX, charon: f64::MAX };
    for _ in 0..LAST_LOOKS {
        std::thread::sleep(Duration::from_secs(1));
        let now = sample(daemons)?;
        least.engine = least.engine.min(now.engine);
        least.broker = least.broker.min(now.broker);
        least.charon = least.charon.min(now.charon);
    }
    Ok(least)
}

/// Where packets can be lost at one end: the interface's queue before the engine, the sockets' behind it, the engine.
fn tell_drops(lab: &Lab, side: Side) -> anyhow::Result<()> {
    let statistics = format!("cat /sys/class/net/ipsec{}/statistics/tx_dropped", strongswan::IF_ID);
    // `ip netns exec` mounts the namespace's own /sys.
    let interface = lab.exec(&lab.gateway(side), &statistics)?;
    let full = |namespace: &str| -> anyhow::Result<String> {
        let text = lab.exec(namespace, "cat /proc/net/snmp")?;
        let mut rows = text.lines().filter(|line| line.starts_with("Udp:")).map(str::split_whitespace);
        let (names, values) = (rows.next().context("no names")?, rows.next().context("no values")?);
        let found = names.zip(values).find(|(name, _)| *name == "RcvbufErrors");
        Ok(found.context("no RcvbufErrors")?.1.to_owned())
    };
    println!(
        "gateway {}: {} dropped before its interface, {} before its sockets; host {}: {} before its sockets",
        side.letter(),
        interface.trim(),
        full(&lab.gateway(side))?,
        side.letter(),
        full(&lab.host(side))?
    );
    Ok(())
}

/// Returns how many packets were lost.
fn tell(direction: &str, trial: &Trial) -> u64 {
    let lost = trial.sent.saturating_sub(trial.received);
    println!(
        "{direction}: {} sent in {:.0} s ({:.1} kpkt/s), {} received, {lost} lost",
        trial.sent,
        trial.elapsed.as_secs_f64(),
        trial.sent_kpps(),
        trial.received,
    );
    lost
}

/// Memory until the time is over; a line each minute.
fn watch(daemons: &[Daemon], time: Duration) -> anyhow::Result<Vec<Sample>> {
    let (begun, mut samples) = (Instant::now(), Vec::new());
    while begun.elapsed() + SAMPLE < time {
        std::thread::sleep(SAMPLE);
        samples.push(sample(daemons)?);
        if samples.len() % 12 == 0 {
            let now = samples[samples.len() - 1];
            println!(
                "minute {}: engine {:.2}, broker {:.2}, charon {:.2} MiB",
                samples.len() / 12,
                now.engine,
                now.broker,
                now.charon
            );
        }
    }
    Ok(samples)
}

/// The larger gateway's memory, process by process.
fn sample(daemons: &[Daemon]) -> anyhow::Result<Sample> {
    let mut largest = Sample { engine: 0.0, broker: 0.0, charon: 0.0 };
    for daemon in daemons {
        let pids = daemon.pids();
        let broker = *pids.first().context("a gateway without processes")?;
        let named = |name: &str| -> Vec<u32> {
            let is = |pid: &u32| {
                let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                *pid != broker && String::from_utf8_lossy(&line).contains(name)
            };
            pids.iter().copied().filter(is).collect()
        };
        let engine = named("uxfrm-engine");
        ensure!(!engine.is_empty(), "an engine has died");
        largest.engine = largest.engine.max(memory_mib(&engine));
        largest.broker = largest.broker.max(memory_mib(&[broker]));
        largest.charon = largest.charon.max(memory_mib(&named("charon")));
    }
    Ok(largest)
}

/// Medians of the first and the last quarter, and the highest value.
fn tell_memory(samples: &[Sample]) {
    let quarter = (samples.len() / 4).max(1);
    for (name, of) in [
        ("engine", (|sample: &Sample| sample.engine) as fn(&Sample) -> f64),
        ("broker", |sample| sample.broker),
        ("charon", |sample| sample.charon),
    ] {
        let values: Vec<f64> = samples.iter().map(of).collect();
        let middle = |part: &[f64]| median(part).unwrap_or(f64::NAN);
        // What there is before the load is no part of the first quarter.
        let loaded = &values[1.min(values.len() - 1)..];
        let quarter = quarter.min(loaded.len());
        let (early, late) = (middle(&loaded[..quarter]), middle(&loaded[loaded.len() - quarter..]));
        println!(
            "{name}: {:.2} MiB before, first quarter {early:.2}, last quarter {late:.2}, highest {:.2}",
            values[0],
            values.iter().copied().fold(0.0, f64::max)
        );
    }
}

/// How many CHILD_SAs the initiator's charon has made: they are numbered.
fn children_made(lab: &Lab) -> anyhow::Result<u32> {
    let text = strongswan::swanctl(lab, Side::A, "--list-sas")?;
    let numbers =
        text.lines().filter_map(|line| line.trim().strip_prefix("c: #")?.split(',').next()?.parse().ok());
    numbers.max().context("no CHILD_SA")
}
