//! Who follows events over the local socket: one JSON object a line, as it happens.

use crate::sys;
use crate::sys::path_socket::{self, StreamListener};
use crate::xfrm::constants::*;
use crate::xfrm::event::Event;
use crate::xfrm::policy::{PolicyInfo, Template};
use crate::xfrm::selector::Selector;
use crate::xfrm::state::{SaId, SaInfo};
use crate::xfrm::wire::{self, Errno, Reader};
use serde_json::{Map, Value, json};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Programs that may follow events at a time.
const MAX_WATCHERS: usize = 16;
/// What an `xfrm_user_acquire` has before and behind the flow, in bytes.
const ACQUIRE_ADDRESSES_LEN: usize = 24 + 16;
const ACQUIRE_POLICY_LEN: usize = 168 + 12 + 4;

/// The listening socket, and those who have come.
pub struct Watchers {
    listener: StreamListener,
    streams: Vec<UnixStream>,
}

/// Where events are followed: beside the statistics.
pub fn path(stats: &Path) -> PathBuf {
    let mut path = stats.as_os_str().to_owned();
    path.push(".events");
    path.into()
}

impl Watchers {
    /// Opens the socket beside that of the statistics.
    ///
    /// # Errors
    /// As of [`path_socket::listen_stream`].
    pub fn new(stats: &Path) -> io::Result<Self> {
        Ok(Self { listener: path_socket::listen_stream(&path(stats))?, streams: Vec::new() })
    }

    /// Lets those go who went away since the last event.
    pub fn forget_gone(&mut self) {
        self.streams.retain(is_there);
    }

    /// Takes in those who want to be told.
    pub fn accept(&mut self) {
        while let Some(stream) = self.listener.accept() {
            if self.streams.len() >= MAX_WATCHERS {
                self.forget_gone();
            }
            if self.streams.len() < MAX_WATCHERS && stream.set_nonblocking(true).is_ok() {
                self.streams.push(stream);
            }
        }
    }

    /// Tells an event. What daemons have changed themselves is not told: it holds keys.
    pub fn tell(&mut self, event: &Event) {
        // Who connected before an event hears of it, whatever woke this thread first.
        self.accept();
        let Some(line) = line(event, sys::unix_seconds()).filter(|_| !self.streams.is_empty()) else {
            return;
        };
        // One that went away or does not read is forgotten.
        self.streams.retain(|mut stream| stream.write_all(line.as_bytes()).is_ok());
    }
}

impl AsFd for Watchers {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// Whether the other end is still open: it has nothing to say, and an end of file is all that can be read.
fn is_there(mut stream: &UnixStream) -> bool {
    !matches!(stream.read(&mut [0; 64]), Ok(0))
}

/// An event as a line of JSON, if it is of a kind that is told here.
fn line(event: &Event, now: u64) -> Option<String> {
    if !matches!(event.group, XFRMNLGRP_ACQUIRE | XFRMNLGRP_EXPIRE | XFRMNLGRP_MAPPING) {
        return None;
    }
    let message = wire::messages(&event.message).next()?;
    let mut object = Map::from_iter([("time".to_owned(), now.into())]);
    let mut reader = Reader::new(message.payload);
    let told = match message.header.kind {
        EXPIRE => expire(&mut reader),
        MAPPING => mapping(&mut reader),
        POLEXPIRE => policy_expire(&mut reader),
        _ => acquire(&mut reader),
    };
    let Ok(Value::Object(told)) = told else { return None };
    object.extend(told);
    for (kind, value) in wire::attributes(reader.rest()) {
        match kind {
            XFRMA_IF_ID => drop(object.insert("if_id".into(), Reader::new(value).u32().ok()?.into())),
            // The ends of the tunnel that is asked for.
            XFRMA_TMPL if message.header.kind == ACQUIRE => {
                let template = Template::read(&mut Reader::new(value), 0).ok()?;
                object.insert("source".into(), template.source.to_string().into());
                object.insert("destination".into(), template.destination.to_string().into());
            }
            _ => {}
        }
    }
    Some(Value::Object(object).to_string() + "\n")
}

fn is_hard(reader: &mut Reader<'_>) -> bool {
    reader.u64().is_ok_and(|hard| hard.to_ne_bytes()[0] != 0)
}

fn spi(id: &SaId) -> String {
    format!("{:08x}", id.spi)
}

fn expire(reader: &mut Reader<'_>) -> Result<Value, Errno> {
    let info = SaInfo::read(reader)?;
    let event = if is_hard(reader) { "expire-hard" } else { "expire-soft" };
    let (source, destination) = (info.source.to_string(), info.id.destination.to_string());
    Ok(json!({"event": event, "spi": spi(&info.id), "source": source, "destination": destination}))
}

fn policy_expire(reader: &mut Reader<'_>) -> Result<Value, Errno> {
    let info = PolicyInfo::read(reader)?;
    let event = if is_hard(reader) { "policy-expire-hard" } else { "policy-expire-soft" };
    Ok(json!({"event": event, "index": info.index}))
}

fn mapping(reader: &mut Reader<'_>) -> Result<Value, Errno> {
    let id = SaId::read(reader)?;
    let reqid = reader.u32()?;
    let family = wire::family(id.destination);
    let [old, new] = [reader.array()?, reader.array()?].map(|bytes| wire::ip_address(family, bytes));
    let [old_port, new_port] = [reader.be16()?, reader.be16()?];
    let end = |address: Option<std::net::IpAddr>, port| {
        address.map(|address| std::net::SocketAddr::new(address, port).to_string())
    };
    Ok(json!({
        "event": "mapping",
        "spi": spi(&id),
        "destination": id.destination.to_string(),
        "reqid": reqid,
        "old_source": end(old, old_port),
        "new_source": end(new, new_port),
    }))
}

fn acquire(reader: &mut Reader<'_>) -> Result<Value, Errno> {
    reader.skip(ACQUIRE_ADDRESSES_LEN)?;
    let flow = Selector::read(reader)?;
    reader.skip(ACQUIRE_POLICY_LEN)?;
    let text = |bytes| wire::ip_address(flow.family, bytes).map(|address| address.to_string());
    Ok(json!({
        "event": "acquire",
        "packet_source": text(flow.source),
        "packet_destination": text(flow.destination),
        "packet_protocol": flow.protocol,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::tests::info;
    use crate::xfrm::event;
    use crate::xfrm::selector::Flow;
    use std::io::BufRead;

    fn told(event: &Event) -> Value {
        serde_json::from_str(&line(event, 1700).unwrap()).unwrap()
    }

    fn template() -> Template {
        let [source, destination] = ["192.0.2.2", "192.0.2.1"].map(|text| text.parse().unwrap());
        let (spi, protocol, reqid, mode, share, optional) = (0, 50, 5, 1, 0, 0);
        Template { destination, source, spi, protocol, reqid, mode, share, optional, algorithms: [!0; 3] }
    }

    #[test]
    fn events_say_what_they_are_about() {
        let info = info(0xabc);
        let (source, destination) = (info.source.to_string(), info.id.destination.to_string());
        let soft = told(&event::expire(&info, 42, false));
        let expected = json!({"time": 1700, "event": "expire-soft", "spi": "00000abc", "if_id": 42,
            "source": source, "destination": destination});
        assert_eq!(soft, expected);
        assert_eq!(told(&event::expire(&info, 0, true))["event"], "expire-hard");
        let address = |text: &str| text.parse().unwrap();
        let moved =
            told(&event::mapping(&info.id, 7, (address("192.0.2.2"), 4500), (address("192.0.2.9"), 1024)));
        assert_eq!((&moved["reqid"], &moved["old_source"]), (&json!(7), &json!("192.0.2.2:4500")));
        assert_eq!(moved["new_source"], "192.0.2.9:1024");
        let [source, destination] = [[10; 16], [11; 16]];
        let flow =
            Flow { family: AF_INET, source, destination, protocol: 1, source_port: 0, destination_port: 0 };
        let flow = Selector::of_flow(&flow);
        let asked = told(&event::acquire(&PolicyInfo::default(), &template(), &flow, 42, 1));
        let expected = json!({"time": 1700, "event": "acquire", "if_id": 42, "packet_protocol": 1,
            "packet_source": "10.10.10.10", "packet_destination": "11.11.11.11",
            "source": "192.0.2.2", "destination": "192.0.2.1"});
        assert_eq!(asked, expected);
    }

    #[test]
    fn who_has_gone_takes_no_place() {
        let directory = tempfile::tempdir().unwrap();
        let stats = directory.path().join("stats");
        let mut watchers = Watchers::new(&stats).unwrap();
        let connect = || UnixStream::connect(path(&stats)).unwrap();
        let staying: Vec<_> = (0..MAX_WATCHERS).map(|_| connect()).collect();
        watchers.accept();
        let turned_away = connect();
        watchers.accept();
        assert_eq!((&turned_away).read(&mut [0]).unwrap(), 0);
        drop(staying);
        let late = connect();
        watchers.tell(&event::expire(&info(0xabc), 42, true));
        let mut line = String::new();
        io::BufReader::new(&late).read_line(&mut line).unwrap();
        assert!(line.contains(r#""event":"expire-hard""#), "{line}");
    }
}
