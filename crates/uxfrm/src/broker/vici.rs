//! As much of strongSwan's VICI protocol as it takes to list CHILD_SAs and rekey them (libvici's README, "Protocol").

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const COMMAND_REQUEST: u8 = 0;
const COMMAND_RESPONSE: u8 = 1;
const EVENT_REGISTER: u8 = 3;
const EVENT_CONFIRM: u8 = 5;
const EVENT: u8 = 7;

const SECTION_START: u8 = 1;
const SECTION_END: u8 = 2;
const KEY_VALUE: u8 = 3;
const LIST_START: u8 = 4;
const LIST_ITEM: u8 = 5;
const LIST_END: u8 = 6;

/// Longest packet accepted, in bytes: libvici's own limit.
const MAX_PACKET_LEN: u32 = 512 * 1024;

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

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "malformed VICI message")
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

    fn send(&mut self, kind: u8, name: &str, body: &[u8]) -> io::Result<()> {
        let mut packet = vec![kind, name.len() as u8];
        packet.extend_from_slice(name.as_bytes());
        packet.extend_from_slice(body);
        self.stream.write_all(&(packet.len() as u32).to_be_bytes())?;
        self.stream.write_all(&packet)
    }

    fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut len = [0; 4];
        self.stream.read_exact(&mut len)?;
        let len = u32::from_be_bytes(len);
        if len == 0 || len > MAX_PACKET_LEN {
            return Err(invalid());
        }
        let mut packet = vec![0; len as usize];
        self.stream.read_exact(&mut packet)?;
        let kind = packet.remove(0);
        Ok((kind, packet))
    }

    fn request(&mut self, command: &str, arguments: &[(&str, &str)]) -> io::Result<()> {
        let mut body = Vec::new();
        for (key, value) in arguments {
            body.extend_from_slice(&[KEY_VALUE, key.len() as u8]);
            body.extend_from_slice(key.as_bytes());
            body.extend_from_slice(&(value.len() as u16).to_be_bytes());
            body.extend_from_slice(value.as_bytes());
        }
        self.send(COMMAND_REQUEST, command, &body)
    }

    /// All CHILD_SAs.
    ///
    /// # Errors
    /// Of the connection, or `InvalidData`.
    pub fn list_child_sas(&mut self) -> io::Result<Vec<ChildSa>> {
        self.send(EVENT_REGISTER, "list-sa", &[])?;
        if self.receive()?.0 != EVENT_CONFIRM {
            return Err(invalid());
        }
        self.request("list-sas", &[])?;
        let mut found = Vec::new();
        loop {
            match self.receive()? {
                (EVENT, packet) => {
                    let name_len = usize::from(*packet.first().ok_or_else(invalid)?);
                    child_sas(packet.get(1 + name_len..).ok_or_else(invalid)?, &mut found)?;
                }
                (COMMAND_RESPONSE, _) => return Ok(found),
                _ => return Err(invalid()),
            }
        }
    }

    /// Starts rekeying a CHILD_SA. Whether the daemon does: it may be gone or busy.
    ///
    /// # Errors
    /// Of the connection, or `InvalidData`.
    pub fn rekey_child(&mut self, unique_id: &str) -> io::Result<bool> {
        self.request("rekey", &[("child-id", unique_id)])?;
        match self.receive()? {
            (COMMAND_RESPONSE, packet) => Ok(succeeded(&packet)),
            _ => Err(invalid()),
        }
    }
}

/// Whether a response says `success = yes`.
fn succeeded(packet: &[u8]) -> bool {
    const YES: &[u8] = b"\x03\x07success\x00\x03yes";
    packet.windows(YES.len()).any(|window| window == YES)
}

/// Takes the CHILD_SAs out of one `list-sa` event: `<ike> { child-sas { <name> { uniqueid = …` .
fn child_sas(mut body: &[u8], found: &mut Vec<ChildSa>) -> io::Result<()> {
    fn take<'a>(body: &mut &'a [u8], len: usize) -> io::Result<&'a [u8]> {
        let (head, rest) = body.split_at_checked(len).ok_or_else(invalid)?;
        *body = rest;
        Ok(head)
    }
    fn name<'a>(body: &mut &'a [u8]) -> io::Result<&'a [u8]> {
        let len = take(body, 1)?[0];
        take(body, len.into())
    }
    fn value<'a>(body: &mut &'a [u8]) -> io::Result<&'a [u8]> {
        let len = take(body, 2)?;
        take(body, u16::from_be_bytes([len[0], len[1]]).into())
    }
    let mut path: Vec<&[u8]> = Vec::new();
    let mut current = ChildSa::default();
    while let Some((element, rest)) = body.split_first() {
        body = rest;
        match *element {
            SECTION_START => {
                path.push(name(&mut body)?);
                current = ChildSa::default();
            }
            SECTION_END => {
                if path.len() == 3 && path[1] == b"child-sas" {
                    found.push(std::mem::take(&mut current));
                }
                path.pop().ok_or_else(invalid)?;
            }
            KEY_VALUE => {
                let (key, value) = (name(&mut body)?, value(&mut body)?);
                let text = || String::from_utf8_lossy(value).into_owned();
                match key {
                    b"uniqueid" => current.unique_id = text(),
                    b"state" => current.state = text(),
                    b"spi-in" => current.spi_in = text(),
                    b"spi-out" => current.spi_out = text(),
                    _ => {}
                }
            }
            LIST_START => drop(name(&mut body)?),
            LIST_ITEM => drop(value(&mut body)?),
            LIST_END => {}
            _ => return Err(invalid()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_child_sas_and_survives_garbage() {
        let key = |k: &str, v: &str| {
            let mut bytes = vec![KEY_VALUE, k.len() as u8];
            bytes.extend(k.bytes());
            bytes.extend((v.len() as u16).to_be_bytes());
            bytes.extend(v.bytes());
            bytes
        };
        let open = |n: &str| [&[SECTION_START, n.len() as u8], n.as_bytes()].concat();
        let body = [
            open("gw"),
            key("uniqueid", "1"),
            open("child-sas"),
            open("net-2"),
            key("uniqueid", "2"),
            key("state", "INSTALLED"),
            key("spi-in", "c0ffee00"),
            key("spi-out", "c0ffee01"),
            vec![LIST_START, 1, b'x', LIST_ITEM, 0, 1, b'y', LIST_END],
            vec![SECTION_END, SECTION_END, SECTION_END],
        ]
        .concat();
        let mut found = Vec::new();
        child_sas(&body, &mut found).unwrap();
        let expected = ChildSa {
            unique_id: "2".into(),
            state: "INSTALLED".into(),
            spi_in: "c0ffee00".into(),
            spi_out: "c0ffee01".into(),
        };
        assert!(succeeded(&[key("matches", "1"), key("success", "yes")].concat()));
        assert!(!succeeded(&[key("success", "no"), key("errmsg", "no match")].concat()));
        assert_eq!(found, [expected]);
        for cut in 0..body.len() {
            let _ = child_sas(&body[..cut], &mut Vec::new());
        }
    }
}
