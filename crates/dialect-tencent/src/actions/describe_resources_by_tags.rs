//! DescribeResourcesByTags of the tag service: the resources that have every tag asked for.

use causeway_dialect::EncodeContext;
use causeway_model::{Kind, Meta};
use causeway_ops::{Operation, Outcome, Query};
use serde_json::{Value, json};

use crate::action::{Action, Answer, Input};
use crate::ids;
use crate::params::Members;
use crate::refusal::Refusal;
use crate::tagging::description::SERVICE;
use crate::tagging::owned;

/// See the module.
pub const ACTION: Action = Action { service: "tag", name: "DescribeResourcesByTags", decode, encode };

/// Filters of one call, and values of one filter, at most.
const FILTERS_MAX: usize = 6;
const VALUES_MAX: usize = 10;

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let filters = members.structures("TagFilters");
    if filters.is_empty() {
        return Err(Refusal::value_as("InvalidParameterValue.TagFilters", "TagFilters", "[]"));
    }
    let is_too_long = |filter: &Members<'_>| filter.texts("TagValue").len() > VALUES_MAX;
    if filters.len() > FILTERS_MAX || filters.iter().any(is_too_long) {
        let code = "InvalidParameterValue.TagFiltersLengthExceeded";
        return Err(Refusal::value_as(code, "TagFilters", filters.len()));
    }
    owned::page(&members)?;
    Ok(Operation::Read(Query::Settings))
}

fn encode(_: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let members = Members::new(&context.envelope.params);
    let filters = members.structures("TagFilters");
    let fits = |name: &str, value: &str| members.text(name).is_none_or(|wanted| wanted == value);
    let rows = owned::tagged_by(context, &members).into_iter().filter(|(kind, meta)| {
        fits("ServiceType", SERVICE)
            && fits("ResourcePrefix", ids::prefix(*kind))
            && fits("ResourceRegion", meta.region.as_str())
            && fits("ResourceId", meta.external.as_str())
            && filters.iter().all(|filter| owned::has(meta, filter))
    });
    owned::answer(&members, "Rows", rows.map(|(kind, meta)| row(kind, meta)).collect())
}

fn row(kind: Kind, meta: &Meta) -> Value {
    json!({
        "ResourceRegion": meta.region.as_str(),
        "ServiceType": SERVICE,
        "ResourcePrefix": ids::prefix(kind),
        "ResourceId": meta.external.as_str(),
        "Tags": owned::tags(meta),
    })
}
