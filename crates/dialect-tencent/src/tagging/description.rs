//! Six-part resource descriptions: `qcs::vpc:<region>:uin/<account>:<prefix>/<id>`.

use causeway_model::{DialectId, ExternalId, Kind, Region};
use causeway_ops::Operation;
use causeway_ops::operation::{SetTags, Tagged};

use crate::action::Input;
use crate::ids;
use crate::refusal::Refusal;

/// The only service whose resources have tags here.
pub const SERVICE: &str = "vpc";
/// Resources of one call at most.
const RESOURCES_MAX: usize = 10;

/// A resource that a description names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    /// Its region.
    pub region: Region,
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: ExternalId,
}

/// Reads a description. The account may be left empty, as Terraform does.
///
/// # Errors
/// `InvalidParameterValue.ResourceDescriptionError`.
pub fn parse(text: &str, account: &str) -> Result<Described, Refusal> {
    let wrong = || Refusal::value_as("InvalidParameterValue.ResourceDescriptionError", "Resource", text);
    let parts: Vec<&str> = text.split(':').collect();
    let ["qcs", _, SERVICE, region, owner, resource] = parts.as_slice() else { return Err(wrong()) };
    let owner = owner.strip_prefix("uin/").ok_or_else(wrong)?;
    if !owner.is_empty() && owner != account {
        return Err(wrong());
    }
    let (prefix, id) = resource.split_once('/').ok_or_else(wrong)?;
    let kind = ids::kind_of_prefix(prefix).ok_or_else(wrong)?;
    if !ids::is_well_formed(id, ids::prefix(kind)) {
        return Err(wrong());
    }
    Ok(Described { region: Region::from(*region), kind, id: ExternalId::from(id) })
}

/// The description of a resource.
pub fn write(region: &Region, account: &str, kind: Kind, id: &ExternalId) -> String {
    format!("qcs::{SERVICE}:{region}:uin/{account}:{}/{id}", ids::prefix(kind))
}

/// The change of the tags of several resources.
///
/// # Errors
/// Those of [`parse`] and [`in_region`], and `LimitExceeded.ResourceNumPerRequest`.
pub fn change(
    input: &Input<'_>,
    resources: &[String],
    put: Vec<(String, String)>,
    remove: Vec<String>,
) -> Result<Operation, Refusal> {
    if resources.len() > RESOURCES_MAX {
        return Err(too_many_resources(RESOURCES_MAX));
    }
    let account = input.context.account.as_str();
    if resources.is_empty() {
        return Err(Refusal::missing("ResourceList"));
    }
    let named = |text: &String| in_region(input, parse(text, account)?);
    let resources = resources.iter().map(named).collect::<Result<Vec<_>, _>>()?;
    Ok(Operation::SetTags(SetTags { resources, put, remove, remove_all: false }))
}

/// A resource whose tags change; its region must be one of the settings'.
///
/// # Errors
/// `InvalidParameterValue.RegionInvalid`.
pub fn in_region(input: &Input<'_>, it: Described) -> Result<Tagged, Refusal> {
    let dialect = DialectId::from(crate::ID);
    if input.context.settings.region(&dialect, &it.region).is_none() {
        let code = "InvalidParameterValue.RegionInvalid";
        return Err(Refusal::value_as(code, "ResourceRegion", &it.region));
    }
    Ok(Tagged { kind: it.kind, id: it.id, region: Some(it.region) })
}

/// More resources than a call may name.
pub fn too_many_resources(limit: usize) -> Refusal {
    Refusal::new(
        "LimitExceeded.ResourceNumPerRequest",
        format!("The number of resources exceeds the limit `{limit}`."),
        format!("单次请求的资源数量超过上限`{limit}`。"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_read_with_and_without_the_account() {
        for owner in ["", "100"] {
            let text = format!("qcs::vpc:ap-guangzhou:uin/{owner}:vpngw/vpngw-abcdefgh");
            let it = parse(&text, "100").unwrap();
            assert_eq!(
                (it.kind, it.id.as_str(), it.region.as_str()),
                (Kind::Gateway, "vpngw-abcdefgh", "ap-guangzhou")
            );
        }
        let region = Region::from("ap-guangzhou");
        let text = write(&region, "100", Kind::Connection, &"vpnx-1".into());
        assert_eq!(parse(&text, "100").unwrap().kind, Kind::Connection);
    }

    #[test]
    fn others_are_refused() {
        for wrong in [
            "",
            "qcs::cvm:ap-guangzhou:uin/100:instance/ins-1",
            "qcs::vpc:ap-guangzhou:uin/200:vpngw/vpngw-1",
            "qcs::vpc:ap-guangzhou:100:vpngw/vpngw-1",
            "qcs::vpc:ap-guangzhou:uin/100:vpngw/cgw-1",
            "qcs::vpc:ap-guangzhou:uin/100:nat/nat-1",
            "qcs::vpc:ap-guangzhou:uin/100:vpngw",
        ] {
            let code = parse(wrong, "100").expect_err(wrong).code;
            assert_eq!(code, "InvalidParameterValue.ResourceDescriptionError");
        }
    }
}
