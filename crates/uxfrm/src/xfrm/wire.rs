//! Netlink framing: header, attributes, and readers and writers for C structures in native byte order.

use super::constants::{NLM_F_CAPPED, NLMSG_DONE, NLMSG_ERROR};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use zeroize::Zeroize;

/// A positive `errno` value, as the kernel would answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", std::io::Error::from_raw_os_error(self.0))]
pub struct Errno(pub i32);

pub const NLMSG_HEADER_LEN: usize = 16;

/// `struct nlmsghdr`, without the length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub kind: u16,
    pub flags: u16,
    pub sequence: u32,
    pub port: u32,
}

/// A message that was cut out of a datagram.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    pub header: Header,
    pub payload: &'a [u8],
}

/// The messages of one datagram, up to the first malformed one (as the kernel, which ignores the rest).
pub fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let mut reader = Reader::new(datagram);
        let len = reader.u32().ok()? as usize;
        let header = Header {
            kind: reader.u16().ok()?,
            flags: reader.u16().ok()?,
            sequence: reader.u32().ok()?,
            port: reader.u32().ok()?,
        };
        let payload = datagram.get(NLMSG_HEADER_LEN..len)?;
        datagram = datagram.get(align(len)..).unwrap_or_default();
        Some(Message { header, payload })
    })
}

/// The messages of one datagram as [`messages`] finds them, each whole.
pub fn split(datagram: &[u8]) -> impl Iterator<Item = (Header, &[u8])> {
    let mut at = 0;
    messages(datagram).map(move |message| {
        let len = NLMSG_HEADER_LEN + message.payload.len();
        let whole = &datagram[at..at + len];
        at += align(len);
        (message.header, whole)
    })
}

/// The header of a datagram's first message, which may be longer than what there is of it.
pub fn header(datagram: &[u8]) -> Option<Header> {
    let mut reader = Reader::new(datagram);
    reader.u32().ok()?;
    Some(Header {
        kind: reader.u16().ok()?,
        flags: reader.u16().ok()?,
        sequence: reader.u32().ok()?,
        port: reader.u32().ok()?,
    })
}

/// Netlink's 4-byte alignment.
pub fn align(len: usize) -> usize {
    len.next_multiple_of(4)
}

/// Reads C structures. Running out of bytes is `EINVAL`, the kernel's answer to a short message.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], Errno> {
        let (head, rest) = self.bytes.split_at_checked(len).ok_or(Errno(libc::EINVAL))?;
        self.bytes = rest;
        Ok(head)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Errno> {
        self.bytes(N)?.try_into().map_err(|_| Errno(libc::EINVAL))
    }

    pub fn skip(&mut self, len: usize) -> Result<(), Errno> {
        self.bytes(len).map(|_| ())
    }

    pub fn u8(&mut self) -> Result<u8, Errno> {
        self.array::<1>().map(|[b]| b)
    }

    pub fn u16(&mut self) -> Result<u16, Errno> {
        self.array().map(u16::from_ne_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, Errno> {
        self.array().map(u32::from_ne_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Errno> {
        self.array().map(u64::from_ne_bytes)
    }

    pub fn be16(&mut self) -> Result<u16, Errno> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn be32(&mut self) -> Result<u32, Errno> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn rest(self) -> &'a [u8] {
        self.bytes
    }
}

/// The attributes of a message: type and value. A malformed attribute ends the list.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let mut reader = Reader::new(bytes);
        let len = usize::from(reader.u16().ok()?);
        let kind = reader.u16().ok()? & 0x3fff;
        let value = bytes.get(4..len)?;
        bytes = bytes.get(align(len)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// Builds one message. Its buffer is cleansed on drop, as it may hold keys.
pub struct Writer {
    bytes: Vec<u8>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl Writer {
    /// Starts a message; the length is filled in by [`Writer::finish`].
    pub fn new(header: Header) -> Self {
        // Large enough for any reply, so that growing never leaves a copy of a key behind.
        let mut this = Self { bytes: Vec::with_capacity(2048) };
        this.u32(0).u16(header.kind).u16(header.flags).u32(header.sequence).u32(header.port);
        this
    }

    /// Starts what goes behind a header, for [`Writer::finish_bare`].
    pub fn bare() -> Self {
        Self { bytes: Vec::with_capacity(256) }
    }

    /// What was written, without a header.
    pub fn finish_bare(mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub fn zeros(&mut self, len: usize) -> &mut Self {
        self.bytes.resize(self.bytes.len() + len, 0);
        self
    }

    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_ne_bytes())
    }

    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_ne_bytes())
    }

    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_ne_bytes())
    }

    pub fn be16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub fn be32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// `xfrm_address_t`.
    pub fn address(&mut self, address: IpAddr) -> &mut Self {
        self.bytes(&address_bytes(address))
    }

    /// Appends an attribute whose value `fill` writes.
    pub fn attribute(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.bytes.len();
        self.u16(0).u16(kind);
        fill(self);
        let len = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&len.to_ne_bytes());
        let padded = align(self.bytes.len());
        self.zeros(padded - self.bytes.len())
    }

    /// The finished message.
    pub fn finish(mut self) -> Vec<u8> {
        let len = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&len.to_ne_bytes());
        std::mem::take(&mut self.bytes)
    }
}

/// `NLMSG_ERROR`: `errno` 0 is the acknowledgement, which carries the request's header; an error carries the whole request,
/// as the kernel's does (for sockets without `NETLINK_CAP_ACK`), keys too.
pub fn error_message(request: Message<'_>, errno: i32) -> Vec<u8> {
    let Message { header, payload } = request;
    let (flags, shown) = if errno == 0 { (NLM_F_CAPPED, &[][..]) } else { (0, payload) };
    // Never moved, so that no key is left behind.
    let mut bytes = Vec::with_capacity(2 * NLMSG_HEADER_LEN + 4 + align(payload.len()));
    let len = 2 * NLMSG_HEADER_LEN + 4 + shown.len();
    put_header(&mut bytes, len, Header { kind: NLMSG_ERROR, flags, ..header });
    bytes.extend_from_slice(&(-errno).to_ne_bytes());
    put_header(&mut bytes, NLMSG_HEADER_LEN + payload.len(), header);
    bytes.extend_from_slice(shown);
    bytes
}

fn put_header(bytes: &mut Vec<u8>, len: usize, header: Header) {
    bytes.extend_from_slice(&(len as u32).to_ne_bytes());
    bytes.extend_from_slice(&header.kind.to_ne_bytes());
    bytes.extend_from_slice(&header.flags.to_ne_bytes());
    bytes.extend_from_slice(&header.sequence.to_ne_bytes());
    bytes.extend_from_slice(&header.port.to_ne_bytes());
}

/// The end of a dump.
pub fn done_message(request: Header) -> Vec<u8> {
    let mut writer =
        Writer::new(Header { kind: NLMSG_DONE, flags: super::constants::NLM_F_MULTI, ..request });
    writer.u32(0);
    writer.finish()
}

/// Says that events were lost.
pub fn overrun_message() -> Vec<u8> {
    Writer::new(Header { kind: super::constants::NLMSG_OVERRUN, flags: 0, sequence: 0, port: 0 }).finish()
}

/// An `xfrm_address_t` of a family, `None` for an unknown one.
pub fn ip_address(family: u16, bytes: [u8; 16]) -> Option<IpAddr> {
    match family {
        super::constants::AF_INET => Some(IpAddr::V4(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]))),
        super::constants::AF_INET6 => Some(IpAddr::V6(Ipv6Addr::from(bytes))),
        _ => None,
    }
}

/// An address as `xfrm_address_t`.
pub fn address_bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&v4.octets());
            bytes
        }
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The family number of an address.
pub fn family(address: IpAddr) -> u16 {
    if address.is_ipv4() { super::constants::AF_INET } else { super::constants::AF_INET6 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_split_where_its_messages_begin() {
        let message = |sequence, len| {
            let mut writer = Writer::new(Header { kind: 20, flags: 1, sequence, port: 0 });
            writer.zeros(len);
            writer.finish()
        };
        let mut datagram = message(1, 5);
        datagram.resize(align(datagram.len()), 0);
        datagram.extend(message(2, 8));
        datagram.extend([99, 0, 0, 0]);
        let parts: Vec<_> =
            split(&datagram).map(|(header, whole)| (header.sequence, whole.to_vec())).collect();
        assert_eq!(parts, [(1, message(1, 5)), (2, message(2, 8))]);
        assert_eq!(header(&message(7, 100)[..20]).map(|header| header.sequence), Some(7));
        assert_eq!(header(&[0; 15]), None);
    }
}
