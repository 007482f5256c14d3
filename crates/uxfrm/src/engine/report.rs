//! Statistics: counters as text. Who reads them is served by [`super::readers`].

use crate::database::Database;
use crate::datapath::Shared;
use crate::xfrm::state::SaId;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

struct SaReport {
    id: SaId,
    source: std::net::IpAddr,
    if_id: u32,
    reqid: u32,
    last_use: u64,
    sent: u64,
    received: u64,
    counters: Vec<(&'static str, u64)>,
}

/// All numbers of one moment.
pub struct Report {
    states: Vec<SaReport>,
    path: Vec<(&'static str, u64)>,
    policies: usize,
}

impl Report {
    /// The numbers now.
    pub fn take(database: &Database, shared: &Shared) -> Self {
        let states = database.states.by_id.values().filter_map(|state| {
            let association = state.association.as_ref()?;
            let replay = state.replay_state();
            Some(SaReport {
                id: state.request.info.id,
                source: state.request.info.source,
                if_id: state.request.if_id,
                reqid: state.request.info.reqid,
                last_use: association.last_use.load(Ordering::Relaxed),
                sent: replay.outbound,
                received: replay.inbound,
                counters: association.counters.read().fields(),
            })
        });
        Self {
            states: states.collect(),
            path: shared.counters.read().fields(),
            policies: database.policies.len(),
        }
    }

    /// As one JSON object.
    pub fn json(&self) -> String {
        let object = |pairs: &[(&'static str, u64)]| {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect::<serde_json::Map<_, _>>()
        };
        let states = self.states.iter().map(|sa| {
            serde_json::json!({
                "spi": format!("{:08x}", sa.id.spi),
                "source": sa.source.to_string(),
                "destination": sa.id.destination.to_string(),
                "if_id": sa.if_id,
                "reqid": sa.reqid,
                "last_use": sa.last_use,
                "last_sequence_sent": sa.sent,
                "highest_sequence_received": sa.received,
                "counters": object(&sa.counters),
            })
        });
        serde_json::json!({
            "sas": states.collect::<Vec<_>>(),
            "policies": self.policies,
            "path": object(&self.path),
        })
        .to_string()
    }

    /// In Prometheus' text format.
    pub fn prometheus(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        for (name, value) in &self.path {
            let _ = writeln!(text, "# TYPE uxfrm_{name}_total counter\nuxfrm_{name}_total {value}");
        }
        let _ = writeln!(text, "# TYPE uxfrm_sas gauge\nuxfrm_sas {}", self.states.len());
        let _ = writeln!(text, "# TYPE uxfrm_policies gauge\nuxfrm_policies {}", self.policies);
        let names = self.states.first().map(|sa| sa.counters.clone()).unwrap_or_default();
        for (index, (name, _)) in names.into_iter().enumerate() {
            let _ = writeln!(text, "# TYPE uxfrm_sa_{name}_total counter");
            for sa in &self.states {
                let (spi, destination, value) = (sa.id.spi, sa.id.destination, sa.counters[index].1);
                let _ = writeln!(
                    text,
                    "uxfrm_sa_{name}_total{{spi=\"{spi:08x}\",destination=\"{destination}\",if_id=\"{}\"}} {value}",
                    sa.if_id
                );
            }
        }
        if !self.states.is_empty() {
            let _ = writeln!(text, "# TYPE uxfrm_sa_last_use_seconds gauge");
        }
        for sa in &self.states {
            let (spi, destination, if_id, value) = (sa.id.spi, sa.id.destination, sa.if_id, sa.last_use);
            let _ = writeln!(
                text,
                "uxfrm_sa_last_use_seconds{{spi=\"{spi:08x}\",destination=\"{destination}\",if_id=\"{if_id}\"}} {value}"
            );
        }
        text
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::database::tests::{NOW, info, sa};
    use crate::datapath::notice;
    use crate::xfrm::constants::NEWSA;

    /// Of a database with one SA, which has moved a packet at second 1700.
    pub fn report() -> Report {
        let mut database = Database::default();
        database.handle_datagram(&sa(NEWSA, &info(0xabc)), NOW);
        let association = database.states.get(&info(0xabc).id).unwrap().association.clone().unwrap();
        association.charge(1, 1000, 1700);
        let (notifier, _notices) = notice::channel().unwrap();
        Report::take(&database, &Shared::new(Vec::new(), notifier, 4500).unwrap())
    }

    #[test]
    fn prometheus_reads_it() {
        let text = report().prometheus();
        let mut typed = std::collections::BTreeMap::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(matches!(kind, "counter" | "gauge"), "{line}");
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                assert!(typed.insert(name, 0).is_none(), "{name} is typed twice");
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap();
            value.parse::<u64>().unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{line}");
            assert!(labels.ends_with('}'), "{line}");
            *typed.get_mut(name).unwrap_or_else(|| panic!("no type before {line}")) += 1;
        }
        assert!(typed.values().all(|lines| *lines == 1), "{typed:?}");
        let labels = r#"{spi="00000abc",destination="192.0.2.1",if_id="42"}"#;
        for (name, value) in [("bytes_total", 1000), ("packets_total", 1), ("last_use_seconds", 1700)] {
            assert!(text.contains(&format!("uxfrm_sa_{name}{labels} {value}\n")), "{name} in {text}");
        }
    }

    #[test]
    fn json_reads_it() {
        let json: serde_json::Value = serde_json::from_str(&report().json()).unwrap();
        assert_eq!(
            (&json["sas"][0]["last_use"], &json["sas"][0]["counters"]["bytes"]),
            (&1700.into(), &1000.into())
        );
    }
}
