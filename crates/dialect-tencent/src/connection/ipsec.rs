//! `IPSECOptionsSpecification`.

use causeway_model::{Encryption, EspProposal, Integrity};

use crate::connection::ike::named;
use crate::params::Members;
use crate::refusal::Refusal;
use crate::shapes::algorithms::{ESP_ENCRYPTION, ESP_INTEGRITY, PFS_GROUPS};

const LIFETIME_S: std::ops::RangeInclusive<i64> = 180..=604_800;
const LIFETIME_DEFAULT_S: i64 = 14_400;
const TRAFFIC_KB: std::ops::RangeInclusive<i64> = 2_560..=4_294_967_295;
const TRAFFIC_DEFAULT_KB: i64 = 4_096_000_000;
const KB: u64 = 1024;

/// What the structure says; its defaults where it is absent.
#[derive(Clone, Debug)]
pub struct IpsecOptions {
    /// The proposal.
    pub proposal: EspProposal,
    /// The lifetime in KB, as the API shows it.
    pub lifetime_traffic_kb: u64,
}

/// Reads the structure.
///
/// # Errors
/// `InvalidParameterValue` for unknown words and lifetimes out of range.
pub fn read(members: &Members<'_>) -> Result<IpsecOptions, Refusal> {
    let mut proposal = EspProposal {
        encryption: Encryption::Aes128Cbc,
        integrity: Integrity::Sha1,
        pfs_group: None,
        lifetime_s: 0,
        lifetime_bytes: None,
    };
    let mut lifetime = LIFETIME_DEFAULT_S;
    let mut traffic = TRAFFIC_DEFAULT_KB;
    if let Some(options) = members.structure("IPSECOptionsSpecification") {
        const CODE: &str = "InvalidParameterValue";
        if let Some(encryption) = named(&options, "EncryptAlgorithm", &ESP_ENCRYPTION)? {
            proposal.encryption = encryption;
        }
        // The old spelling goes before the new one, because Terraform sends it.
        let new = named(&options, "IntegrityAlgorithm", &ESP_INTEGRITY)?;
        let old = named(&options, "IntegrityAlgorith", &ESP_INTEGRITY)?;
        if let Some(integrity) = old.or(new) {
            proposal.integrity = integrity;
        }
        proposal.pfs_group = named(&options, "PfsDhGroup", PFS_GROUPS)?.flatten();
        lifetime = options.integer_in("IPSECSaLifetimeSeconds", LIFETIME_S, CODE)?.unwrap_or(lifetime);
        traffic = options.integer_in("IPSECSaLifetimeTraffic", TRAFFIC_KB, CODE)?.unwrap_or(traffic);
    }
    let lifetime_traffic_kb = u64::try_from(traffic).unwrap_or_default();
    proposal.lifetime_s = u32::try_from(lifetime).unwrap_or_default();
    proposal.lifetime_bytes = Some(lifetime_traffic_kb.saturating_mul(KB));
    Ok(IpsecOptions { proposal, lifetime_traffic_kb })
}
