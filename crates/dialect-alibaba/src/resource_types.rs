//! The words for types of resources in the tag and resource group actions. Clients write them in every case.

use causeway_dialect::Failure;
use causeway_model::Kind;
use causeway_ops::operation::Tagged;

use crate::params::Fields;

const TYPES: &[(&str, Kind)] = &[
    ("VPNGATEWAY", Kind::Gateway),
    ("CUSTOMERGATEWAY", Kind::CustomerGateway),
    ("VPNCONNECTION", Kind::Connection),
    ("VPC", Kind::Network),
    ("VSWITCH", Kind::Subnet),
    ("ROUTETABLE", Kind::RouteTable),
];

/// Resource ids of one request at most.
pub const IDS_MAX: usize = 50;

/// The type that `ResourceType` names.
///
/// # Errors
/// `InvalidInstanceType.NotFound`.
pub fn read(fields: &Fields<'_>) -> Result<Kind, Failure> {
    let word = fields.required("ResourceType")?;
    let known = TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(&word));
    known
        .map(|(_, kind)| *kind)
        .ok_or_else(|| Failure::new(400, "InvalidInstanceType.NotFound", "The instance type is not found"))
}

/// The resources with these ids.
pub fn tagged(kind: Kind, ids: Vec<String>) -> Vec<Tagged> {
    ids.into_iter().map(|id| Tagged { kind, id: id.into(), region: None }).collect()
}

/// The ids in `ResourceId.N`.
///
/// # Errors
/// `SizeLimitExceeded.ResourceId`.
pub fn ids(fields: &Fields<'_>) -> Result<Vec<String>, Failure> {
    let ids = fields.texts("ResourceId")?;
    if ids.len() > IDS_MAX {
        let message = "The maximum number of resource IDs is exceeded.";
        return Err(Failure::new(400, "SizeLimitExceeded.ResourceId", message));
    }
    Ok(ids)
}
