//! `BgpAsn`: autonomous system numbers that the API takes.

use crate::params::Members;
use crate::refusal::Refusal;

/// Numbers that the cloud keeps for itself.
const EXCLUDED: [u32; 3] = [139_341, 45_090, 58_835];

/// The number given, if any.
///
/// # Errors
/// `InvalidParameterValue` outside 1 to 4294967295 and for the cloud's own numbers.
pub fn read(members: &Members<'_>) -> Result<Option<u32>, Refusal> {
    let Some(number) = members.integer("BgpAsn")? else { return Ok(None) };
    match u32::try_from(number) {
        Ok(asn) if asn >= 1 && !EXCLUDED.contains(&asn) => Ok(Some(asn)),
        _ => Err(Refusal::value(&members.path("BgpAsn"), number)),
    }
}
