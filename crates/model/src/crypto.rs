//! The algorithms of IKE (RFC 7296) and ESP (RFC 4303) that a connection can be asked to use.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Encryption algorithms.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Encryption {
    /// AES-128 in CBC mode.
    Aes128Cbc,
    /// AES-192 in CBC mode.
    Aes192Cbc,
    /// AES-256 in CBC mode.
    Aes256Cbc,
    /// AES-128 in GCM mode with a 16-octet ICV.
    Aes128Gcm16,
    /// AES-192 in GCM mode with a 16-octet ICV.
    Aes192Gcm16,
    /// AES-256 in GCM mode with a 16-octet ICV.
    Aes256Gcm16,
    /// Single DES in CBC mode; broken, kept because the clouds offer it.
    DesCbc,
    /// Triple DES in CBC mode; weak, kept because the clouds default to it.
    TripleDesCbc,
    /// SM4 in CBC mode (GB/T 32907).
    Sm4Cbc,
    /// No encryption (RFC 2410).
    Null,
}

impl Encryption {
    /// Whether it authenticates too, so that no integrity algorithm goes with it.
    pub const fn is_aead(self) -> bool {
        matches!(self, Self::Aes128Gcm16 | Self::Aes192Gcm16 | Self::Aes256Gcm16)
    }
}

impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aes128Cbc => "AES-CBC-128",
            Self::Aes192Cbc => "AES-CBC-192",
            Self::Aes256Cbc => "AES-CBC-256",
            Self::Aes128Gcm16 => "AES-GCM-128",
            Self::Aes192Gcm16 => "AES-GCM-192",
            Self::Aes256Gcm16 => "AES-GCM-256",
            Self::DesCbc => "DES-CBC",
            Self::TripleDesCbc => "3DES-CBC",
            Self::Sm4Cbc => "SM4-CBC",
            Self::Null => "NULL encryption",
        })
    }
}

/// Integrity algorithms and, in IKE, the pseudo-random functions of the same hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Integrity {
    /// HMAC-MD5-96.
    Md5,
    /// HMAC-SHA1-96.
    Sha1,
    /// HMAC-SHA2-256-128.
    Sha256,
    /// HMAC-SHA2-384-192.
    Sha384,
    /// HMAC-SHA2-512-256.
    Sha512,
    /// HMAC-SM3 (GB/T 32905).
    Sm3,
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Md5 => "HMAC-MD5",
            Self::Sha1 => "HMAC-SHA1",
            Self::Sha256 => "HMAC-SHA2-256",
            Self::Sha384 => "HMAC-SHA2-384",
            Self::Sha512 => "HMAC-SHA2-512",
            Self::Sm3 => "HMAC-SM3",
        })
    }
}

/// A key exchange method by its IANA number ("Transform Type 4"), which the clouds call "group N".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DhGroup(pub u16);

impl fmt::Display for DhGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Diffie-Hellman group {}", self.0)
    }
}

/// IKE versions and, for the first, its exchange.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum IkeVersion {
    /// IKEv1, Main Mode.
    V1Main,
    /// IKEv1, Aggressive Mode.
    V1Aggressive,
    /// IKEv2.
    V2,
}

/// What an IKE_SA is negotiated with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IkeProposal {
    /// Version and exchange.
    pub version: IkeVersion,
    /// Encryption.
    pub encryption: Encryption,
    /// Integrity and pseudo-random function.
    pub integrity: Integrity,
    /// Key exchange.
    pub dh_group: DhGroup,
    /// Lifetime of the IKE_SA in seconds.
    pub lifetime_s: u32,
}

/// What a CHILD_SA is negotiated with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EspProposal {
    /// Encryption.
    pub encryption: Encryption,
    /// Integrity; without effect on AEAD algorithms.
    pub integrity: Integrity,
    /// Group of a fresh key exchange at each rekeying (perfect forward secrecy), or none.
    pub pfs_group: Option<DhGroup>,
    /// Lifetime of the CHILD_SA in seconds.
    pub lifetime_s: u32,
    /// Lifetime of the CHILD_SA in octets, if limited.
    pub lifetime_bytes: Option<u64>,
}
