//! Proposals in strongSwan's words, such as `aes128-sha1-modp1024`: for the gateways' own daemon, and for
//! devices that run it. Keywords: <https://docs.strongswan.org/docs/5.9/config/proposals.html>.

use crate::crypto::{DhGroup, Encryption, EspProposal, IkeProposal, Integrity};

/// What strongSwan has no word for, or no proposal is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unsupported {
    /// An encryption algorithm.
    #[error("strongSwan has no {0}")]
    Encryption(Encryption),
    /// An integrity algorithm.
    #[error("strongSwan has no {0}")]
    Integrity(Integrity),
    /// A key exchange group.
    #[error("strongSwan has no {0}")]
    Group(DhGroup),
    /// IKE messages are always encrypted (RFC 7296 section 3.14).
    #[error("IKE is always encrypted")]
    NullIke,
}

fn encryption(it: Encryption) -> Result<&'static str, Unsupported> {
    Ok(match it {
        Encryption::Aes128Cbc => "aes128",
        Encryption::Aes192Cbc => "aes192",
        Encryption::Aes256Cbc => "aes256",
        Encryption::Aes128Gcm16 => "aes128gcm16",
        Encryption::Aes192Gcm16 => "aes192gcm16",
        Encryption::Aes256Gcm16 => "aes256gcm16",
        Encryption::DesCbc => "des",
        Encryption::TripleDesCbc => "3des",
        Encryption::Null => "null",
        Encryption::Sm4Cbc => return Err(Unsupported::Encryption(it)),
    })
}

fn integrity(it: Integrity) -> Result<&'static str, Unsupported> {
    Ok(match it {
        Integrity::Md5 => "md5",
        Integrity::Sha1 => "sha1",
        Integrity::Sha256 => "sha256",
        Integrity::Sha384 => "sha384",
        Integrity::Sha512 => "sha512",
        Integrity::Sm3 => return Err(Unsupported::Integrity(it)),
    })
}

fn group(it: DhGroup) -> Result<&'static str, Unsupported> {
    Ok(match it.0 {
        1 => "modp768",
        2 => "modp1024",
        5 => "modp1536",
        14 => "modp2048",
        15 => "modp3072",
        16 => "modp4096",
        17 => "modp6144",
        18 => "modp8192",
        19 => "ecp256",
        20 => "ecp384",
        21 => "ecp521",
        22 => "modp1024s160",
        23 => "modp2048s224",
        24 => "modp2048s256",
        31 => "curve25519",
        _ => return Err(Unsupported::Group(it)),
    })
}

/// The proposal of an IKE_SA.
///
/// # Errors
/// [`Unsupported`].
pub fn ike(it: &IkeProposal) -> Result<String, Unsupported> {
    if it.encryption == Encryption::Null {
        return Err(Unsupported::NullIke);
    }
    let prefix = if it.encryption.is_aead() { "prf" } else { "" };
    Ok(format!("{}-{prefix}{}-{}", encryption(it.encryption)?, integrity(it.integrity)?, group(it.dh_group)?))
}

/// The proposal of a CHILD_SA.
///
/// # Errors
/// [`Unsupported`].
pub fn esp(it: &EspProposal) -> Result<String, Unsupported> {
    let mut parts = vec![encryption(it.encryption)?];
    if !it.encryption.is_aead() {
        parts.push(integrity(it.integrity)?);
    }
    if let Some(pfs) = it.pfs_group {
        parts.push(group(pfs)?);
    }
    Ok(parts.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::IkeVersion;

    fn ike_of(encryption: Encryption, integrity: Integrity, dh_group: DhGroup) -> IkeProposal {
        IkeProposal { version: IkeVersion::V2, encryption, integrity, dh_group, lifetime_s: 86_400 }
    }

    #[test]
    fn words() {
        let classic = ike_of(Encryption::Aes128Cbc, Integrity::Sha1, DhGroup(2));
        assert_eq!(ike(&classic).unwrap(), "aes128-sha1-modp1024");
        let aead = ike_of(Encryption::Aes256Gcm16, Integrity::Sha256, DhGroup(19));
        assert_eq!(ike(&aead).unwrap(), "aes256gcm16-prfsha256-ecp256");
        let mut child = EspProposal {
            encryption: Encryption::TripleDesCbc,
            integrity: Integrity::Md5,
            pfs_group: None,
            lifetime_s: 3600,
            lifetime_bytes: None,
        };
        assert_eq!(esp(&child).unwrap(), "3des-md5");
        child.pfs_group = Some(DhGroup(14));
        child.encryption = Encryption::Aes128Gcm16;
        assert_eq!(esp(&child).unwrap(), "aes128gcm16-modp2048");
    }

    #[test]
    fn what_has_no_word_is_refused() {
        let national = ike_of(Encryption::Sm4Cbc, Integrity::Sm3, DhGroup(2));
        assert_eq!(ike(&national), Err(Unsupported::Encryption(Encryption::Sm4Cbc)));
        let odd = ike_of(Encryption::Aes128Cbc, Integrity::Sha1, DhGroup(99));
        assert_eq!(ike(&odd), Err(Unsupported::Group(DhGroup(99))));
        let open = ike_of(Encryption::Null, Integrity::Sha1, DhGroup(2));
        assert_eq!(ike(&open), Err(Unsupported::NullIke));
    }
}
