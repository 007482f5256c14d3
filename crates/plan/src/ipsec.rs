//! IKE and IPsec policy in the terms of RFC 7296, with strongSwan's proposal keywords.
//!
//! Keywords: <https://docs.strongswan.org/docs/5.9/config/proposals.html>; numbers: IANA "IKEv2
//! Parameters".

use serde::{Deserialize, Serialize};

/// Which IKE an instance offers and accepts for a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IkeVersion {
    /// IKEv1 (RFC 2409) with main mode.
    V1Main,
    /// IKEv1 with aggressive mode.
    V1Aggressive,
    /// IKEv2 (RFC 7296).
    V2,
    /// Initiates IKEv2, accepts either (IKEv1 in main mode).
    Any,
}

/// An encryption transform, of IKE or ESP. GCM is an AEAD with a 16-byte tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encryption {
    Des,
    TripleDes,
    Aes128,
    Aes192,
    Aes256,
    Aes128Gcm16,
    Aes192Gcm16,
    Aes256Gcm16,
    ChaCha20Poly1305,
    /// No encryption, for ESP only (RFC 2410).
    Null,
}

impl Encryption {
    /// strongSwan's keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Des => "des",
            Self::TripleDes => "3des",
            Self::Aes128 => "aes128",
            Self::Aes192 => "aes192",
            Self::Aes256 => "aes256",
            Self::Aes128Gcm16 => "aes128gcm16",
            Self::Aes192Gcm16 => "aes192gcm16",
            Self::Aes256Gcm16 => "aes256gcm16",
            Self::ChaCha20Poly1305 => "chacha20poly1305",
            Self::Null => "null",
        }
    }

    /// Whether the transform also protects integrity.
    pub fn is_aead(self) -> bool {
        matches!(self, Self::Aes128Gcm16 | Self::Aes192Gcm16 | Self::Aes256Gcm16 | Self::ChaCha20Poly1305)
    }
}

/// An integrity transform; for IKE it also gives the PRF when none is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Integrity {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Integrity {
    /// strongSwan's keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }
}

/// A pseudo-random function of IKE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prf {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Prf {
    /// strongSwan's keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Md5 => "prfmd5",
            Self::Sha1 => "prfsha1",
            Self::Sha256 => "prfsha256",
            Self::Sha384 => "prfsha384",
            Self::Sha512 => "prfsha512",
        }
    }
}

/// A key exchange method (IANA "Transform Type 4").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DhGroup {
    Modp768,
    Modp1024,
    Modp1536,
    Modp2048,
    Modp3072,
    Modp4096,
    Ecp256,
    Ecp384,
    Ecp521,
    Modp1024S160,
    Modp2048S224,
    Modp2048S256,
    Curve25519,
}

impl DhGroup {
    /// strongSwan's keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Modp768 => "modp768",
            Self::Modp1024 => "modp1024",
            Self::Modp1536 => "modp1536",
            Self::Modp2048 => "modp2048",
            Self::Modp3072 => "modp3072",
            Self::Modp4096 => "modp4096",
            Self::Ecp256 => "ecp256",
            Self::Ecp384 => "ecp384",
            Self::Ecp521 => "ecp521",
            Self::Modp1024S160 => "modp1024s160",
            Self::Modp2048S224 => "modp2048s224",
            Self::Modp2048S256 => "modp2048s256",
            Self::Curve25519 => "curve25519",
        }
    }

    /// The IANA number, which the clouds call "group N".
    pub fn number(self) -> u16 {
        match self {
            Self::Modp768 => 1,
            Self::Modp1024 => 2,
            Self::Modp1536 => 5,
            Self::Modp2048 => 14,
            Self::Modp3072 => 15,
            Self::Modp4096 => 16,
            Self::Ecp256 => 19,
            Self::Ecp384 => 20,
            Self::Ecp521 => 21,
            Self::Modp1024S160 => 22,
            Self::Modp2048S224 => 23,
            Self::Modp2048S256 => 24,
            Self::Curve25519 => 31,
        }
    }
}

/// A set of transforms that cannot be a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// RFC 7296 section 3.3: an encryption transform without integrity must be an AEAD.
    #[error("an encryption transform that is no AEAD needs an integrity transform")]
    IntegrityMissing,
    /// IKE messages are always encrypted.
    #[error("null encryption is for ESP only")]
    NullForIke,
    /// An IKE proposal with an AEAD names its PRF, because no integrity transform implies one.
    #[error("an AEAD in an IKE proposal needs a PRF")]
    PrfMissing,
}

/// The IKE_SA's policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IkePolicy {
    pub version: IkeVersion,
    pub encryption: Encryption,
    /// Ignored with an AEAD, except that it gives the PRF when `prf` is `None`.
    pub integrity: Option<Integrity>,
    /// `None`: the PRF that belongs to `integrity`.
    pub prf: Option<Prf>,
    pub dh: DhGroup,
    /// Lifetime of the IKE_SA in seconds.
    pub lifetime_s: u32,
}

impl IkePolicy {
    /// strongSwan's proposal text.
    ///
    /// # Errors
    /// [`ProposalError`] when the transforms do not make a proposal.
    pub fn proposal(&self) -> Result<String, ProposalError> {
        if self.encryption == Encryption::Null {
            return Err(ProposalError::NullForIke);
        }
        let mut parts = vec![self.encryption.keyword()];
        let implied = self.integrity.map(prf_of);
        let prf = self.prf.or(implied).ok_or(ProposalError::PrfMissing);
        if self.encryption.is_aead() {
            parts.push(prf?.keyword());
        } else {
            let integrity = self.integrity.ok_or(ProposalError::IntegrityMissing)?;
            parts.push(integrity.keyword());
            if let Some(prf) = self.prf.filter(|prf| *prf != prf_of(integrity)) {
                parts.push(prf.keyword());
            }
        }
        parts.push(self.dh.keyword());
        Ok(parts.join("-"))
    }
}

fn prf_of(integrity: Integrity) -> Prf {
    match integrity {
        Integrity::Md5 => Prf::Md5,
        Integrity::Sha1 => Prf::Sha1,
        Integrity::Sha256 => Prf::Sha256,
        Integrity::Sha384 => Prf::Sha384,
        Integrity::Sha512 => Prf::Sha512,
    }
}

/// The CHILD_SA's policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EspPolicy {
    pub encryption: Encryption,
    /// Ignored with an AEAD.
    pub integrity: Option<Integrity>,
    /// Perfect forward secrecy: the key exchange of each CHILD_SA; `None` turns it off.
    pub pfs: Option<DhGroup>,
    /// Lifetime of a CHILD_SA in seconds.
    pub lifetime_s: u32,
    /// Lifetime of a CHILD_SA in bytes, when the connection sets one.
    pub lifetime_bytes: Option<u64>,
}

impl EspPolicy {
    /// strongSwan's proposal text.
    ///
    /// # Errors
    /// [`ProposalError`] when the transforms do not make a proposal.
    pub fn proposal(&self) -> Result<String, ProposalError> {
        let mut parts = vec![self.encryption.keyword()];
        if !self.encryption.is_aead() {
            parts.push(self.integrity.ok_or(ProposalError::IntegrityMissing)?.keyword());
        }
        parts.extend(self.pfs.map(DhGroup::keyword));
        Ok(parts.join("-"))
    }
}

/// What happens to a CHILD_SA when its peer is found dead (strongSwan's `dpd_action`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DpdAction {
    Clear,
    Restart,
    /// Keep a trap and re-establish on traffic (`trap` in swanctl.conf).
    Hold,
}

/// Dead peer detection (RFC 3706; liveness checks of RFC 7296 section 2.4).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dpd {
    /// Seconds of silence before a check.
    pub delay_s: u32,
    /// IKEv1: seconds without an answer until the peer counts as dead. IKEv2 uses its retransmission
    /// timeout instead.
    pub timeout_s: u32,
    pub action: DpdAction,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ike(encryption: Encryption, integrity: Option<Integrity>, prf: Option<Prf>) -> IkePolicy {
        IkePolicy {
            version: IkeVersion::V2,
            encryption,
            integrity,
            prf,
            dh: DhGroup::Modp2048,
            lifetime_s: 86_400,
        }
    }

    #[test]
    fn proposals_are_strongswans() {
        use Encryption::*;
        let text = |e, i, p| ike(e, i, p).proposal();
        assert_eq!(text(Aes128, Some(Integrity::Sha1), None).unwrap(), "aes128-sha1-modp2048");
        assert_eq!(
            text(Aes256, Some(Integrity::Sha256), Some(Prf::Sha512)).unwrap(),
            "aes256-sha256-prfsha512-modp2048"
        );
        assert_eq!(
            text(Aes256Gcm16, Some(Integrity::Sha256), None).unwrap(),
            "aes256gcm16-prfsha256-modp2048"
        );
        assert_eq!(text(Aes256Gcm16, None, None), Err(ProposalError::PrfMissing));
        assert_eq!(text(Aes256, None, Some(Prf::Sha1)), Err(ProposalError::IntegrityMissing));
        assert_eq!(text(Null, Some(Integrity::Sha1), None), Err(ProposalError::NullForIke));

        let esp = |encryption, integrity, pfs| {
            EspPolicy { encryption, integrity, pfs, lifetime_s: 3_600, lifetime_bytes: None }.proposal()
        };
        assert_eq!(esp(TripleDes, Some(Integrity::Md5), None).unwrap(), "3des-md5");
        assert_eq!(
            esp(Aes192, Some(Integrity::Sha384), Some(DhGroup::Modp2048S256)).unwrap(),
            "aes192-sha384-modp2048s256"
        );
        assert_eq!(esp(Aes128Gcm16, None, Some(DhGroup::Ecp256)).unwrap(), "aes128gcm16-ecp256");
        assert_eq!(esp(Des, None, None), Err(ProposalError::IntegrityMissing));
    }
}
