//! As much of strongSwan's VICI as it takes to list CHILD_SAs and rekey them.

use crate::vici::{
    Encoder, LENGTH_BYTES, Malformed, PacketKind, Section, packet, packet_len, split_event, split_packet,
};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A connection to the daemon.
pub struct Vici {
    stream: UnixStream,
}

/// A CHILD_SA as `list-sas` shows it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ChildSa {
    pub unique_id: String,
    pub state: String,
    /// Hexadecimal.
    pub spi_in: String,
    /// Hexadecimal.
    pub spi_out: String,
}

impl From<Malformed> for io::Error {
    fn from(malformed: Malformed) -> Self {
        Self::new(io::ErrorKind::InvalidData, malformed)
    }
}

impl Vici {
    /// # Errors
    /// Where the daemon does not listen there.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.set_write_timeout(Some(Duration::from_secs(5)))?;
        Ok(Self { stream })
    }

    fn send(&mut self, kind: PacketKind, name: &str, message: Encoder) -> io::Result<()> {
        self.stream.write_all(&packet(kind, name, &message.finish())?)
    }

    fn receive(&mut self) -> io::Result<(PacketKind, Vec<u8>)> {
        let mut length = [0; LENGTH_BYTES];
        self.stream.read_exact(&mut length)?;
        let mut packet = vec![0; packet_len(length)?];
        self.stream.read_exact(&mut packet)?;
        let (kind, body) = split_packet(&packet)?;
        Ok((kind, body.to_vec()))
    }

    /// All CHILD_SAs.
    ///
    /// # Errors
    /// Of the connection, or `InvalidData`.
    pub fn list_child_sas(&mut self) -> io::Result<Vec<ChildSa>> {
        self.send(PacketKind::EventRegister, "list-sa", Encoder::new())?;
        if self.receive()?.0 != PacketKind::EventConfirm {
            return Err(Malformed.into());
        }
        self.send(PacketKind::CommandRequest, "list-sas", Encoder::new())?;
        let mut found = Vec::new();
        loop {
            match self.receive()? {
                (PacketKind::Event, body) => found.extend(child_sas(&split_event(&body)?.1)),
                (PacketKind::CommandResponse, _) => return Ok(found),
                _ => return Err(Malformed.into()),
            }
        }
    }

    /// Starts rekeying a CHILD_SA. Whether the daemon does: it may be gone or busy.
    ///
    /// # Errors
    /// Of the connection, or `InvalidData`.
    pub fn rekey_child(&mut self, unique_id: &str) -> io::Result<bool> {
        let message = Encoder::new().value("child-id", unique_id);
        self.send(PacketKind::CommandRequest, "rekey", message)?;
        match self.receive()? {
            (PacketKind::CommandResponse, body) => Ok(Section::decode(&body)?.text("success") == Some("yes")),
            _ => Err(Malformed.into()),
        }
    }
}

/// The CHILD_SAs of one `list-sa` event: `<ike> { child-sas { <name> { uniqueid = …` .
fn child_sas(event: &Section) -> Vec<ChildSa> {
    let ike_sas = event.sections().map(|(_, ike)| ike);
    let children = ike_sas.filter_map(|ike| ike.section_named("child-sas")).flat_map(Section::sections);
    let text = |child: &Section, name| child.text(name).unwrap_or_default().to_owned();
    let read = |child: &Section| ChildSa {
        unique_id: text(child, "uniqueid"),
        state: text(child, "state"),
        spi_in: text(child, "spi-in"),
        spi_out: text(child, "spi-out"),
    };
    children.map(|(_, child)| read(child)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_child_sas_beside_what_else_is_listed() {
        let child = |section: Encoder| {
            let section = section.value("uniqueid", "2").value("state", "INSTALLED");
            section.value("spi-in", "c0ffee00").value("spi-out", "c0ffee01").list("x", ["y"])
        };
        let message = Encoder::new().section("gw", |ike| {
            ike.value("uniqueid", "1")
                .section("child-sas", |children| {
                    children.section("net-2", child).section("trap", |trap| trap)
                })
                .list("tasks-queued", ["CHILD_REKEY"])
        });
        let found = child_sas(&Section::decode(&message.finish()).unwrap());
        let expected = ChildSa {
            unique_id: "2".into(),
            state: "INSTALLED".into(),
            spi_in: "c0ffee00".into(),
            spi_out: "c0ffee01".into(),
        };
        assert_eq!(found, [expected, ChildSa::default()]);
    }
}
