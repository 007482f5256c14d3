//! The actions of the tag service that change one tag of several resources by their ids: AttachResourcesTag,
//! ModifyResourcesTagValue and DetachResourcesTag.

use causeway_model::Region;
use causeway_ops::Operation;
use causeway_ops::operation::SetTags;

use crate::action::{self, Action, Input};
use crate::ids;
use crate::params::Members;
use crate::refusal::Refusal;
use crate::tagging::description::{Described, SERVICE, in_region, too_many_resources};
use crate::tagging::read;

/// Adds a tag to resources.
pub const ATTACH: Action =
    Action { service: "tag", name: "AttachResourcesTag", decode: decode_put, encode: action::done };
/// Changes a tag of resources.
pub const MODIFY: Action =
    Action { service: "tag", name: "ModifyResourcesTagValue", decode: decode_put, encode: action::done };
/// Removes a tag from resources.
pub const DETACH: Action =
    Action { service: "tag", name: "DetachResourcesTag", decode: decode_remove, encode: action::done };

/// Resources of one call at most.
const RESOURCES_MAX: usize = 50;

fn decode_put(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    decode(input, &members, vec![read::tag(&members)?], Vec::new())
}

fn decode_remove(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let key = read::key(&members.text("TagKey").unwrap_or_default())?;
    decode(input, &members, Vec::new(), vec![key])
}

fn decode(
    input: &Input<'_>,
    members: &Members<'_>,
    put: Vec<(String, String)>,
    remove: Vec<String>,
) -> Result<Operation, Refusal> {
    let service = members.required("ServiceType")?;
    if service != SERVICE {
        return Err(Refusal::value_as("InvalidParameterValue.ServiceTypeInvalid", "ServiceType", service));
    }
    let prefix = members.text("ResourcePrefix").unwrap_or_default();
    let kind = ids::kind_of_prefix(&prefix).ok_or_else(|| {
        Refusal::value_as("InvalidParameterValue.ResourcePrefixInvalid", "ResourcePrefix", &prefix)
    })?;
    let region = members.text("ResourceRegion").map_or_else(|| input.region.clone(), Region::from);
    let named = |text: String| Described { region: region.clone(), kind, id: text.into() };
    let ids = ids_of(members)?.into_iter();
    let resources = ids.map(|text| in_region(input, named(text))).collect::<Result<Vec<_>, _>>()?;
    Ok(Operation::SetTags(SetTags { resources, put, remove, remove_all: false }))
}

fn ids_of(members: &Members<'_>) -> Result<Vec<String>, Refusal> {
    let texts = members.texts("ResourceIds");
    if texts.len() > RESOURCES_MAX {
        return Err(too_many_resources(RESOURCES_MAX));
    }
    if texts.is_empty() {
        return Err(Refusal::missing("ResourceIds"));
    }
    Ok(texts)
}
