//! Packets: a length of four bytes, big-endian; then a kind, for most kinds a name, and a message.

use super::{Malformed, Section};
use zeroize::Zeroizing;

/// The plugin's own limit (`VICI_MESSAGE_SIZE_MAX`), without the length.
pub const PACKET_BYTES_MAX: usize = 512 * 1024;
/// Of the length before each packet.
pub const LENGTH_BYTES: usize = 4;

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum PacketKind {
    CommandRequest = 0,
    CommandResponse = 1,
    CommandUnknown = 2,
    EventRegister = 3,
    EventUnregister = 4,
    EventConfirm = 5,
    EventUnknown = 6,
    Event = 7,
}

impl PacketKind {
    fn of(byte: u8) -> Option<Self> {
        use PacketKind::*;
        [
            CommandRequest,
            CommandResponse,
            CommandUnknown,
            EventRegister,
            EventUnregister,
            EventConfirm,
            EventUnknown,
            Event,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }
}

/// A packet of a kind that has a name, with its length before it. Its memory is wiped when it goes.
///
/// # Errors
/// [`Malformed`] when it is longer than the protocol allows.
pub fn packet(kind: PacketKind, name: &str, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    let length = 2 + name.len() + message.len();
    let name_length = u8::try_from(name.len()).map_err(|_| Malformed)?;
    if length > PACKET_BYTES_MAX {
        return Err(Malformed);
    }
    let mut packet = Zeroizing::new(Vec::with_capacity(LENGTH_BYTES + length));
    packet.extend_from_slice(&u32::try_from(length).map_err(|_| Malformed)?.to_be_bytes());
    packet.push(kind as u8);
    packet.push(name_length);
    packet.extend_from_slice(name.as_bytes());
    packet.extend_from_slice(message);
    Ok(packet)
}

/// The length of the packet that follows.
///
/// # Errors
/// [`Malformed`] for one that the protocol does not allow.
pub fn packet_len(bytes: [u8; LENGTH_BYTES]) -> Result<usize, Malformed> {
    let length = usize::try_from(u32::from_be_bytes(bytes)).map_err(|_| Malformed)?;
    if length == 0 || length > PACKET_BYTES_MAX { Err(Malformed) } else { Ok(length) }
}

/// The kind of a received packet, and what follows: a message, or for an event see [`split_event`].
///
/// # Errors
/// [`Malformed`] for an unknown kind.
pub fn split_packet(packet: &[u8]) -> Result<(PacketKind, &[u8]), Malformed> {
    let (kind, body) = packet.split_first().ok_or(Malformed)?;
    Ok((PacketKind::of(*kind).ok_or(Malformed)?, body))
}

/// An event's name and message.
///
/// # Errors
/// [`Malformed`].
pub fn split_event(body: &[u8]) -> Result<(String, Section), Malformed> {
    let (length, rest) = body.split_first().ok_or(Malformed)?;
    let (name, message) = rest.split_at_checked(usize::from(*length)).ok_or(Malformed)?;
    let name = String::from_utf8(name.to_vec()).map_err(|_| Malformed)?;
    Ok((name, Section::decode(message)?))
}

#[cfg(test)]
mod tests {
    use super::super::Encoder;
    use super::*;

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let message = Encoder::new().value("up", "yes").finish();
        let sent = packet(PacketKind::Event, "ike-updown", &message).unwrap();
        let (length, rest) = sent.split_first_chunk().unwrap();
        assert_eq!(packet_len(*length), Ok(rest.len()));
        let (kind, body) = split_packet(rest).unwrap();
        let (name, section) = split_event(body).unwrap();
        assert_eq!((kind, name.as_str(), section.text("up")), (PacketKind::Event, "ike-updown", Some("yes")));
    }

    #[test]
    fn what_is_too_long_empty_or_unknown_is_malformed() {
        assert!(packet(PacketKind::CommandRequest, "x", &vec![0; PACKET_BYTES_MAX - 3]).is_ok());
        assert_eq!(packet(PacketKind::CommandRequest, "x", &vec![0; PACKET_BYTES_MAX - 2]), Err(Malformed));
        assert_eq!(packet_len([0; 4]), Err(Malformed));
        assert_eq!(packet_len([0, 8, 0, 1]), Err(Malformed));
        assert_eq!(packet_len([0, 8, 0, 0]), Ok(PACKET_BYTES_MAX));
        assert_eq!(split_packet(&[8]), Err(Malformed));
        assert_eq!(split_event(&[2, b'a']).map(|_| ()), Err(Malformed));
    }
}
