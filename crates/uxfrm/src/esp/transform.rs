//! One SA's keyed algorithms: turns plaintext into an ESP packet and back, lengths included.

use super::EspError;
use super::aead::Aead;
use super::algorithm::Algorithm;
use super::block_cipher::BlockCipher;
use super::gcm_context::GcmContext;
use super::mac::Mac;
use std::sync::MutexGuard;

/// SPI and the low half of the sequence number.
pub const HEADER_LEN: usize = 8;
/// Pad length and next header.
pub const TRAILER_LEN: usize = 2;

enum Keyed {
    Aead(Aead),
    CipherAndMac(BlockCipher, Mac),
}

/// Keyed algorithms. Read-only, shared by all workers.
pub struct Transform {
    algorithm: Algorithm,
    keyed: Keyed,
    extended_sequence: bool,
}

/// What a transform keeps from packet to packet, for one thread at a time: for many packets in a row.
#[derive(Default)]
pub struct Held<'a>(Option<MutexGuard<'a, GcmContext>>);

impl Held<'_> {
    fn context(&mut self) -> Option<&mut GcmContext> {
        self.0.as_deref_mut()
    }
}

/// What goes to the front of an ESP packet.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    pub spi: u32,
    /// All 64 bits; the high half is authenticated but not sent (RFC 4303 section 2.2.1).
    pub sequence: u64,
}

impl Transform {
    /// `cipher_key` includes an AEAD's salt. `None` where a key has the wrong length.
    pub fn new(
        algorithm: Algorithm,
        cipher_key: &[u8],
        mac_key: &[u8],
        extended_sequence: bool,
    ) -> Option<Self> {
        let keyed = match algorithm {
            Algorithm::Aead { cipher, icv } => Keyed::Aead(Aead::new(cipher, icv, cipher_key)?),
            Algorithm::CipherAndMac { cipher, hash, icv } => {
                Keyed::CipherAndMac(BlockCipher::new(cipher, cipher_key)?, Mac::new(hash, icv, mac_key)?)
            }
        };
        Some(Self { algorithm, keyed, extended_sequence })
    }

    /// The algorithm it was made with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether sequence numbers have 64 bits.
    pub fn extended_sequence(&self) -> bool {
        self.extended_sequence
    }

    /// Pad bytes for a payload of `len` bytes.
    pub fn pad_len(&self, len: usize) -> usize {
        // A power of two: no division for each packet.
        let mask = self.algorithm.alignment() - 1;
        (len + TRAILER_LEN).wrapping_neg() & mask
    }

    /// Length of the ESP packet for a payload of `len` bytes.
    pub fn packet_len(&self, len: usize) -> usize {
        let text = len + self.pad_len(len) + TRAILER_LEN;
        HEADER_LEN + self.algorithm.iv_len() + text + self.algorithm.icv_len()
    }

    /// The longest payload whose ESP packet has at most `len` bytes.
    pub fn payload_capacity(&self, len: usize) -> usize {
        let fixed = HEADER_LEN + self.algorithm.iv_len() + self.algorithm.icv_len();
        let alignment = self.algorithm.alignment();
        (len.saturating_sub(fixed) / alignment * alignment).saturating_sub(TRAILER_LEN)
    }

    fn aad(&self, header: Header) -> ([u8; 12], usize) {
        let mut aad = [0; 12];
        aad[..4].copy_from_slice(&header.spi.to_be_bytes());
        if self.extended_sequence {
            aad[4..].copy_from_slice(&header.sequence.to_be_bytes());
            (aad, 12)
        } else {
            aad[4..8].copy_from_slice(&(header.sequence as u32).to_be_bytes());
            (aad, 8)
        }
    }

    fn high_half(&self, sequence: u64) -> ([u8; 4], usize) {
        (((sequence >> 32) as u32).to_be_bytes(), if self.extended_sequence { 4 } else { 0 })
    }

    /// What makes [`Transform::seal_held`] and [`Transform::open_held`] faster; empty where another thread has it.
    pub fn hold(&self) -> Held<'_> {
        match &self.keyed {
            Keyed::Aead(aead) => Held(aead.hold()),
            Keyed::CipherAndMac(..) => Held(None),
        }
    }

    /// As [`Transform::seal_held`] for one packet.
    ///
    /// # Errors
    /// As there.
    pub fn seal(&self, header: Header, iv: &[u8], text: &[u8], out: &mut [u8]) -> Result<(), EspError> {
        self.seal_held(&mut Held::default(), header, iv, text, out)
    }

    /// As [`Transform::open_held`] for one packet.
    ///
    /// # Errors
    /// As there.
    pub fn open(&self, sequence: u64, packet: &mut [u8]) -> Result<std::ops::Range<usize>, EspError> {
        self.open_held(&mut Held::default(), sequence, packet)
    }

    /// Builds the ESP packet of `text` (payload, padding and trailer) in `out`, whose length must be exactly
    /// the packet's. `iv` has the transform's length.
    ///
    /// # Errors
    /// [`EspError::Buffer`] or [`EspError::Length`] where lengths do not fit.
    pub fn seal_held(
        &self,
        held: &mut Held<'_>,
        header: Header,
        iv: &[u8],
        text: &[u8],
        out: &mut [u8],
    ) -> Result<(), EspError> {
        let (iv_len, icv_len) = (self.algorithm.iv_len(), self.algorithm.icv_len());
        if out.len() != HEADER_LEN + iv_len + text.len() + icv_len || iv.len() != iv_len {
            return Err(EspError::Buffer);
        }
        let (front, icv) = out.split_at_mut(HEADER_LEN + iv_len + text.len());
        front[..4].copy_from_slice(&header.spi.to_be_bytes());
        front[4..8].copy_from_slice(&(header.sequence as u32).to_be_bytes());
        front[8..8 + iv_len].copy_from_slice(iv);
        match &self.keyed {
            Keyed::Aead(aead) => {
                let (aad, aad_len) = self.aad(header);
                let iv = iv.try_into().map_err(|_| EspError::Length)?;
                aead.seal(held.context(), iv, &aad[..aad_len], text, &mut front[HEADER_LEN + iv_len..], icv)
            }
            Keyed::CipherAndMac(cipher, mac) => {
                cipher.encrypt(iv, text, &mut front[HEADER_LEN + iv_len..])?;
                let (high, high_len) = self.high_half(header.sequence);
                mac.sign(front, &high[..high_len], icv);
                Ok(())
            }
        }
    }

    /// Checks and decrypts an ESP packet in place; returns the range of `packet` that holds payload, padding
    /// and trailer. `sequence` is the full number that the replay window inferred.
    ///
    /// # Errors
    /// [`EspError::Length`], [`EspError::Integrity`].
    pub fn open_held(
        &self,
        held: &mut Held<'_>,
        sequence: u64,
        packet: &mut [u8],
    ) -> Result<std::ops::Range<usize>, EspError> {
        let start = HEADER_LEN + self.algorithm.iv_len();
        let end = packet.len().checked_sub(self.algorithm.icv_len()).ok_or(EspError::Length)?;
        if end < start + TRAILER_LEN || (end - start) & (self.algorithm.alignment() - 1) != 0 {
            return Err(EspError::Length);
        }
        // The number that the window judged must be the one that is authenticated.
        if packet[4..HEADER_LEN] != (sequence as u32).to_be_bytes() {
            return Err(EspError::Integrity);
        }
        let (front, icv) = packet.split_at_mut(end);
        match &self.keyed {
            Keyed::Aead(aead) => {
                let spi = u32::from_be_bytes([front[0], front[1], front[2], front[3]]);
                let (aad, aad_len) = self.aad(Header { spi, sequence });
                let (head, text) = front.split_at_mut(start);
                let iv = head[HEADER_LEN..].try_into().map_err(|_| EspError::Length)?;
                aead.open(held.context(), iv, &aad[..aad_len], text, icv)?;
            }
            Keyed::CipherAndMac(cipher, mac) => {
                let (high, high_len) = self.high_half(sequence);
                if !mac.verify(front, &high[..high_len], icv) {
                    return Err(EspError::Integrity);
                }
                let (head, text) = front.split_at_mut(start);
                cipher.decrypt(&head[HEADER_LEN..], text)?;
            }
        }
        Ok(start..end)
    }
}
