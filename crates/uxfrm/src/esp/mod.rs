//! ESP (RFC 4303) without any I/O, clock or policy: algorithms, sealing and opening of packets,
//! sequence numbers, the replay window, and where IVs come from.

pub mod aead;
pub mod algorithm;
pub mod block_cipher;
pub mod gcm_context;
pub mod iv;
pub mod limits;
pub mod mac;
pub mod packet;
pub mod replay;
pub mod sequence;
pub mod transform;

/// Why a packet was not sealed or opened. Each variant is one counter of an SA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EspError {
    /// Shorter than the transform's fixed parts, or a ciphertext that is no multiple of its block.
    #[error("packet has an impossible length")]
    Length,
    /// The integrity check value is wrong (RFC 4303 section 3.4.4.1).
    #[error("integrity check failed")]
    Integrity,
    /// Pad length or pad bytes are not those of RFC 4303 section 2.4.
    #[error("padding is malformed")]
    Padding,
    /// Left of the replay window (RFC 4303 section 3.4.3).
    #[error("sequence number is older than the replay window")]
    ReplayOld,
    /// Seen before, or zero.
    #[error("sequence number was seen before")]
    Replayed,
    /// The SA has sent all packets that its key or sequence number space allows.
    #[error("sequence numbers or packets of this key are used up")]
    Exhausted,
    /// The output buffer cannot take the sealed packet.
    #[error("buffer is too small for the sealed packet")]
    Buffer,
}
