//! The plaintext side of an ESP packet: padding and trailer (RFC 4303 section 2.4 to 2.6).

use super::EspError;
use super::transform::{TRAILER_LEN, Transform};

/// Longest padding of any transform plus the trailer, in bytes.
pub const MAX_TAIL: usize = 16 + TRAILER_LEN;

/// Padding 1, 2, 3, … then its length and the next header, for a payload of `len` bytes. Returns the bytes and
/// how many of them are used.
pub fn tail(transform: &Transform, len: usize, next_header: u8) -> ([u8; MAX_TAIL], usize) {
    let pad = transform.pad_len(len);
    let mut tail = [0; MAX_TAIL];
    for (byte, value) in tail[..pad].iter_mut().zip(1u8..) {
        *byte = value;
    }
    tail[pad] = pad as u8;
    tail[pad + 1] = next_header;
    (tail, pad + TRAILER_LEN)
}

/// Splits decrypted text into payload length and next header, checking the padding.
///
/// # Errors
/// [`EspError::Padding`] where the padding is longer than the text or not 1, 2, 3, …
pub fn strip_tail(text: &[u8]) -> Result<(usize, u8), EspError> {
    let [.., pad_len, next_header] = *text else { return Err(EspError::Padding) };
    let payload = text.len().checked_sub(TRAILER_LEN + usize::from(pad_len)).ok_or(EspError::Padding)?;
    let padding = &text[payload..text.len() - TRAILER_LEN];
    if padding.iter().zip(1u8..).any(|(byte, value)| *byte != value) {
        return Err(EspError::Padding);
    }
    Ok((payload, next_header))
}
