//! The model's algorithms in the data plane's terms.

use causeway_model::{self as model, Encryption as E, Integrity as I};
use causeway_plan::{DhGroup, Dpd, DpdAction, Encryption, EspPolicy, IkePolicy, IkeVersion, Integrity};

/// An algorithm that no data plane here has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NotCarried(pub String);

fn encryption(wanted: E) -> Result<Encryption, NotCarried> {
    Ok(match wanted {
        E::Aes128Cbc => Encryption::Aes128,
        E::Aes192Cbc => Encryption::Aes192,
        E::Aes256Cbc => Encryption::Aes256,
        E::Aes128Gcm16 => Encryption::Aes128Gcm16,
        E::Aes192Gcm16 => Encryption::Aes192Gcm16,
        E::Aes256Gcm16 => Encryption::Aes256Gcm16,
        E::DesCbc => Encryption::Des,
        E::TripleDesCbc => Encryption::TripleDes,
        E::Null => Encryption::Null,
        E::Sm4Cbc => return Err(NotCarried("SM4".to_owned())),
    })
}

fn integrity(wanted: I) -> Result<Integrity, NotCarried> {
    Ok(match wanted {
        I::Md5 => Integrity::Md5,
        I::Sha1 => Integrity::Sha1,
        I::Sha256 => Integrity::Sha256,
        I::Sha384 => Integrity::Sha384,
        I::Sha512 => Integrity::Sha512,
        I::Sm3 => return Err(NotCarried("SM3".to_owned())),
    })
}

fn dh_group(wanted: model::DhGroup) -> Result<DhGroup, NotCarried> {
    use DhGroup::*;
    [
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
    ]
    .into_iter()
    .find(|known| known.number() == wanted.0)
    .ok_or_else(|| NotCarried(format!("Diffie-Hellman group {}", wanted.0)))
}

pub(crate) fn ike(wanted: &model::IkeProposal) -> Result<IkePolicy, NotCarried> {
    Ok(IkePolicy {
        version: match wanted.version {
            model::IkeVersion::V1Main => IkeVersion::V1Main,
            model::IkeVersion::V1Aggressive => IkeVersion::V1Aggressive,
            model::IkeVersion::V2 => IkeVersion::V2,
        },
        encryption: encryption(wanted.encryption)?,
        integrity: Some(integrity(wanted.integrity)?),
        prf: None,
        dh: dh_group(wanted.dh_group)?,
        lifetime_s: wanted.lifetime_s,
    })
}

pub(crate) fn esp(wanted: &model::EspProposal) -> Result<EspPolicy, NotCarried> {
    Ok(EspPolicy {
        encryption: encryption(wanted.encryption)?,
        integrity: if wanted.encryption.is_aead() { None } else { Some(integrity(wanted.integrity)?) },
        pfs: wanted.pfs_group.map(dh_group).transpose()?,
        lifetime_s: wanted.lifetime_s,
        lifetime_bytes: wanted.lifetime_bytes,
    })
}

pub(crate) fn dpd(wanted: &model::Dpd) -> Dpd {
    Dpd {
        delay_s: wanted.delay_s,
        timeout_s: wanted.timeout_s,
        action: match wanted.action {
            model::DpdAction::Clear => DpdAction::Clear,
            model::DpdAction::Restart => DpdAction::Restart,
            model::DpdAction::Trap => DpdAction::Hold,
        },
    }
}
