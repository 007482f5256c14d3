//! Messages between broker and engine, one per SEQPACKET datagram: a kind, a number, and bytes.

use crate::sys::message;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use zeroize::Zeroize;

const HEADER_LEN: usize = 5;

/// Of these messages and of the engine's arguments, of which it is the first: another one after each change, so that a broker
/// and an engine of different files know whether they understand each other.
pub const VERSION: &str = "link-2";

/// What a message means. `number` and body by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Broker to engine: a netlink message; `number` names the request. 0 is one that nobody waits for: it gets no [`Kind::Done`].
    Request = 1,
    /// Engine to broker: one netlink message of the answer; more follow.
    Reply = 2,
    /// Engine to broker: the answer is complete. The body is the request in words that the broker's journal understands, or
    /// empty where it does.
    Done = 3,
    /// Engine to broker: `number` is the group, the body a netlink message.
    Event = 4,
    /// Both ways: is the engine alive? From the engine `number` is 0 where its workers have had nothing to do since the last.
    Ping = 5,
    /// Engine to broker: keep this descriptor (body: its name) for the next engine. Broker to engine at start: one that
    /// was kept.
    Keep = 6,
    /// Broker to engine: no more kept descriptors. Engine to broker: sockets are bound, requests are served.
    Ready = 7,
    /// Broker to engine: `number` is an `if_id` that must have an interface. Engine to broker: it has (body: its name) or
    /// not (empty).
    Interface = 8,
    /// Broker to engine: the interface of `if_id` `number` is not needed any more. Engine to broker: it is let go (body not
    /// empty), or still in use.
    Remove = 9,
    /// Broker to engine: which SAs are there? Engine to broker: SPIs, four bytes each; `number` is 0 for the last of these
    /// messages.
    Spis = 10,
    /// Engine to broker: it ends, and why (body: text).
    Failed = 11,
    /// Broker to engine: `number` has a bit for each multicast group that somebody listens to, as in `nl_groups`.
    Listen = 12,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        use Kind::*;
        [Request, Reply, Done, Event, Ping, Keep, Ready, Interface, Remove, Spis, Failed, Listen]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// Received into a buffer that is cleansed afterwards, as it may hold keys.
pub struct Buffer(Vec<u8>);

impl Buffer {
    /// Grows no further, so that no key is left behind.
    pub fn new() -> Self {
        Self(vec![0; 16 * 1024])
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::new()
    }
}

/// A received message.
pub struct Message<'a> {
    pub kind: Kind,
    pub number: u32,
    pub body: &'a mut [u8],
    pub descriptor: Option<OwnedFd>,
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        self.body.zeroize();
    }
}

/// Sends a message.
///
/// # Errors
/// `WouldBlock` where `wait` is false and the other side does not read; of `sendmsg`.
pub fn send(
    fd: BorrowedFd<'_>,
    kind: Kind,
    number: u32,
    body: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
    wait: bool,
) -> io::Result<()> {
    message::send(fd, &[&header(kind, number), body], descriptor, wait)
}

/// What goes before a message's body.
pub fn header(kind: Kind, number: u32) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[0] = kind as u8;
    header[1..].copy_from_slice(&number.to_ne_bytes());
    header
}

/// Receives a message. `Ok(None)` where none waits.
///
/// # Errors
/// `UnexpectedEof` at the end of the connection, `InvalidData` for what is no message.
pub fn receive<'a>(
    fd: BorrowedFd<'_>,
    buffer: &'a mut Buffer,
    wait: bool,
) -> io::Result<Option<Message<'a>>> {
    let Some((len, descriptor)) = message::receive(fd, &mut buffer.0, wait)? else { return Ok(None) };
    if len == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let (header, body) =
        buffer.0[..len].split_first_chunk_mut::<HEADER_LEN>().ok_or(io::ErrorKind::InvalidData)?;
    let kind = Kind::from_byte(header[0]).ok_or(io::ErrorKind::InvalidData)?;
    let number = u32::from_ne_bytes([header[1], header[2], header[3], header[4]]);
    Ok(Some(Message { kind, number, body, descriptor }))
}
