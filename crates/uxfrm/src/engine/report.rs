//! Statistics over a local socket: a client sends `json` or `prometheus` and a newline, and gets the text.

use crate::database::Database;
use crate::datapath::Shared;
use crate::xfrm::constants::{EXPIRE, MAPPING, XFRMA_IF_ID};
use crate::xfrm::event::Event;
use crate::xfrm::state::{SaId, SaInfo};
use crate::xfrm::wire::{self, Reader};
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a client may take to ask and to read.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(2);

/// Opens the socket, for root only.
///
/// # Errors
/// Of bind: the directory is missing, or the path too long.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    // Left over from an engine that was killed.
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Where events are followed: beside the statistics, one JSON object a line.
pub fn events_path(stats: &Path) -> PathBuf {
    let mut path = stats.as_os_str().to_owned();
    path.push(".events");
    path.into()
}

/// An event as a line of JSON.
pub fn event_line(event: &Event, now: u64) -> String {
    let mut object = serde_json::Map::new();
    object.insert("time".into(), now.into());
    let mut text = |key: &str, value: String| object.insert(key.into(), value.into());
    for message in wire::messages(&event.message) {
        let mut reader = Reader::new(message.payload);
        match message.header.kind {
            EXPIRE => {
                let Ok(info) = SaInfo::read(&mut reader) else { continue };
                let hard = reader.u64().is_ok_and(|hard| hard.to_ne_bytes()[0] != 0);
                text("event", if hard { "expire-hard" } else { "expire-soft" }.into());
                text("spi", format!("{:08x}", info.id.spi));
                text("destination", info.id.destination.to_string());
            }
            MAPPING => {
                let Ok(id) = SaId::read(&mut reader) else { continue };
                text("event", "mapping".into());
                text("spi", format!("{:08x}", id.spi));
                text("destination", id.destination.to_string());
            }
            _ => {
                text("event", "acquire".into());
                // `xfrm_user_acquire`, then its attributes.
                if reader.skip(280).is_err() {
                    continue;
                }
            }
        }
        for (_, value) in wire::attributes(reader.rest()).filter(|(kind, _)| *kind == XFRMA_IF_ID) {
            text("if_id", Reader::new(value).u32().unwrap_or(0).to_string());
        }
    }
    serde_json::Value::Object(object).to_string() + "\n"
}

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
        text
    }
}

/// Answers one client.
pub fn serve(stream: UnixStream, report: &Report) {
    let answer = || -> io::Result<()> {
        stream.set_read_timeout(Some(CLIENT_TIMEOUT))?;
        stream.set_write_timeout(Some(CLIENT_TIMEOUT))?;
        let mut line = String::new();
        BufReader::new(io::Read::take(&stream, 64)).read_line(&mut line)?;
        let text = match line.trim() {
            "json" => report.json() + "\n",
            "prometheus" => report.prometheus(),
            other => format!("unknown request {other:?}: json or prometheus\n"),
        };
        (&stream).write_all(text.as_bytes())
    };
    // The client went away: nobody to tell.
    let _ = answer();
}
