//! `IKEOptionsSpecification`.

use causeway_model::{DhGroup, Encryption, IkeProposal, IkeVersion, Integrity};

use crate::params::{MALFORMED, Members};
use crate::refusal::Refusal;
use crate::shapes::algorithms::{IKE_ENCRYPTION, IKE_GROUPS, IKE_INTEGRITY, meaning};

const LIFETIME_S: std::ops::RangeInclusive<i64> = 60..=604_800;
const LIFETIME_DEFAULT_S: i64 = 86_400;

/// What the structure says; its defaults where it is absent.
#[derive(Clone, Debug)]
pub struct IkeOptions {
    /// The proposal.
    pub proposal: IkeProposal,
    /// `MAIN` or `AGGRESSIVE`.
    pub exchange_mode: &'static str,
    /// `ADDRESS` or `FQDN`, of the gateway.
    pub local_identity: &'static str,
    /// `ADDRESS` or `FQDN`, of the device.
    pub remote_identity: &'static str,
    /// The gateway's identity; its public address when none is given.
    pub local_id: Option<String>,
    /// The device's identity; its public address when none is given.
    pub remote_id: Option<String>,
}

/// Reads the structure.
///
/// # Errors
/// `InvalidParameterValue` for unknown words and lifetimes out of range, `MissingParameter` for an `FQDN` without a
/// name.
pub fn read(members: &Members<'_>) -> Result<IkeOptions, Refusal> {
    let Some(options) = members.structure("IKEOptionsSpecification") else {
        return Ok(IkeOptions {
            proposal: proposal(IkeVersion::V1Main, LIFETIME_DEFAULT_S),
            exchange_mode: "MAIN",
            local_identity: "ADDRESS",
            remote_identity: "ADDRESS",
            local_id: None,
            remote_id: None,
        });
    };
    let exchange_mode = options.word("ExchangeMode", &["MAIN", "AGGRESSIVE"])?.unwrap_or("MAIN");
    let is_v2 = options.word("IKEVersion", &["IKEV1", "IKEV2"])? == Some("IKEV2");
    // The exchange mode has no meaning with the second version.
    let version = match (is_v2, exchange_mode) {
        (true, _) => IkeVersion::V2,
        (false, "AGGRESSIVE") => IkeVersion::V1Aggressive,
        (false, _) => IkeVersion::V1Main,
    };
    let lifetime = options.integer_in("IKESaLifetimeSeconds", LIFETIME_S, "InvalidParameterValue")?;
    let mut proposal = proposal(version, lifetime.unwrap_or(LIFETIME_DEFAULT_S));
    if let Some(encryption) = named(&options, "PropoEncryAlgorithm", IKE_ENCRYPTION)? {
        proposal.encryption = encryption;
    }
    if let Some(integrity) = named(&options, "PropoAuthenAlgorithm", &IKE_INTEGRITY)? {
        proposal.integrity = integrity;
    }
    if let Some(group) = named(&options, "DhGroupName", IKE_GROUPS)? {
        proposal.dh_group = group;
    }
    let (local_identity, local_id) = identity(&options, "Local")?;
    let (remote_identity, remote_id) = identity(&options, "Remote")?;
    Ok(IkeOptions { proposal, exchange_mode, local_identity, remote_identity, local_id, remote_id })
}

fn proposal(version: IkeVersion, lifetime: i64) -> IkeProposal {
    IkeProposal {
        version,
        encryption: Encryption::TripleDesCbc,
        integrity: Integrity::Sha1,
        dh_group: DhGroup(1),
        lifetime_s: u32::try_from(lifetime).unwrap_or_default(),
    }
}

/// What a member's word means, if it was given.
///
/// # Errors
/// `InvalidParameterValue` for an unknown word.
pub fn named<T: Copy>(
    options: &Members<'_>,
    name: &str,
    words: &[(&'static str, T)],
) -> Result<Option<T>, Refusal> {
    let Some(text) = options.text(name) else { return Ok(None) };
    match meaning(words, &text) {
        Some(it) => Ok(Some(it)),
        None => Err(Refusal::value(&options.path(name), text)),
    }
}

/// The kind of an identity, and the identity itself.
fn identity(options: &Members<'_>, side: &str) -> Result<(&'static str, Option<String>), Refusal> {
    let kinds = ["ADDRESS", "FQDN"];
    let kind = options.word(&format!("{side}Identity"), &kinds)?.unwrap_or("ADDRESS");
    if kind == "ADDRESS" {
        let address = options.ipv4(&format!("{side}Address"))?;
        return Ok((kind, address.map(|address| address.to_string())));
    }
    let name = format!("{side}FqdnName");
    let fqdn = options.text(&name).ok_or_else(|| Refusal::missing(&options.path(&name)))?;
    // It stands in configuration files of devices.
    if fqdn.chars().any(|letter| letter.is_control() || letter.is_whitespace() || "\"'{}#".contains(letter)) {
        return Err(Refusal::malformed(MALFORMED, &options.path(&name), &fqdn));
    }
    Ok((kind, Some(fqdn)))
}
