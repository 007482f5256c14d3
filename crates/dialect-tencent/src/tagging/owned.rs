//! The caller's resources that can have tags, in every region.

use causeway_dialect::EncodeContext;
use causeway_model::{DialectId, Key, Kind, ListKey, Meta, Record, Region};
use md5::{Digest, Md5};
use serde_json::{Value, json};

use crate::action::Answer;
use crate::params::Members;
use crate::refusal::Refusal;
use crate::tagging::description::SERVICE;

/// The kinds that can have tags.
const KINDS: [Kind; 6] =
    [Kind::Network, Kind::Subnet, Kind::RouteTable, Kind::Gateway, Kind::CustomerGateway, Kind::Connection];
/// Items of a page by default, and at most.
const LIMIT_DEFAULT: i64 = 15;
const LIMIT_MAX: i64 = 1000;

/// The caller's resources with at least one tag: by region, kind and time of creation.
pub fn tagged<'a>(context: &EncodeContext<'a>) -> Vec<(Kind, &'a Meta)> {
    let regions = context.caller.settings.regions(&DialectId::from(crate::ID));
    let lists = regions.iter().flat_map(|region| KINDS.map(|kind| (region.id.clone(), kind)));
    lists.flat_map(|(region, kind)| of_list(context, region, kind)).collect()
}

/// The same, if `CreateUin` does not ask for the tags of another account.
pub fn tagged_by<'a>(context: &EncodeContext<'a>, members: &Members<'_>) -> Vec<(Kind, &'a Meta)> {
    if is_of_caller(context, members) { tagged(context) } else { Vec::new() }
}

/// Whether `CreateUin` is the caller, or left out.
pub fn is_of_caller(context: &EncodeContext<'_>, members: &Members<'_>) -> bool {
    members.text("CreateUin").is_none_or(|creator| creator == context.caller.account.as_str())
}

fn of_list<'a>(context: &EncodeContext<'a>, region: Region, kind: Kind) -> Vec<(Kind, &'a Meta)> {
    let view = context.view;
    let caller = context.caller;
    let list = ListKey { owner: caller.account.clone(), dialect: caller.dialect.clone(), region, kind };
    let keys: Vec<Key> = view.list(&list).iter().map(|(_, key)| *key).collect();
    let metas = keys.into_iter().filter_map(|key| view.record(key).and_then(Record::meta));
    metas.filter(|meta| !meta.tags.is_empty()).map(|meta| (kind, meta)).collect()
}

/// The caller's resource of a kind with an id, in whatever region.
pub fn resource<'a>(context: &EncodeContext<'a>, kind: Kind, id: &str) -> Option<&'a Meta> {
    let view = context.view;
    let meta = view.by_external(&context.caller.dialect, kind, &id.into()).and_then(Record::meta)?;
    (meta.owner == context.caller.account).then_some(meta)
}

/// `TagResource`: one tag of one resource.
pub fn row(meta: &Meta, key: &str, value: &str) -> Value {
    json!({
        "TagKey": key,
        "TagValue": value,
        "ResourceId": meta.external.as_str(),
        "TagKeyMd5": md5_hex(key),
        "TagValueMd5": md5_hex(value),
        "ServiceType": SERVICE,
        "Category": "Custom",
    })
}

/// The tags of a resource as the tag service lists them.
pub fn tags(meta: &Meta) -> Vec<Value> {
    let tag =
        |(key, value): (&String, &String)| json!({"TagKey": key, "TagValue": value, "Category": "Custom"});
    meta.tags.iter().map(tag).collect()
}

/// Whether a resource has the key of a filter, with one of the values if the filter names any.
pub fn has(meta: &Meta, filter: &Members<'_>) -> bool {
    let values = filter.texts("TagValue");
    let value = meta.tags.get(&filter.text("TagKey").unwrap_or_default());
    value.is_some_and(|value| values.is_empty() || values.contains(value))
}

/// A page of rows, with the page's own numbers.
///
/// # Errors
/// Those of [`page`].
pub fn answer(members: &Members<'_>, name: &str, rows: Vec<Value>) -> Result<Answer, Refusal> {
    let (offset, limit) = page(members)?;
    let total = rows.len();
    let rows: Vec<Value> = rows.into_iter().skip(offset).take(limit).collect();
    Ok(Answer::from_iter([
        ("TotalCount".to_owned(), Value::from(total)),
        ("Offset".to_owned(), Value::from(offset)),
        ("Limit".to_owned(), Value::from(limit)),
        (name.to_owned(), Value::Array(rows)),
    ]))
}

/// Not for security: the API shows these sums.
fn md5_hex(text: &str) -> String {
    causeway_dialect::encoding::hex_lower(Md5::digest(text.as_bytes()).as_ref())
}

/// `Offset` and `Limit` of the tag service.
///
/// # Errors
/// `InvalidParameterValue`.
pub fn page(members: &Members<'_>) -> Result<(usize, usize), Refusal> {
    const CODE: &str = "InvalidParameterValue";
    let offset = members.integer_in("Offset", 0..=i64::MAX, CODE)?.unwrap_or(0);
    let limit = members.integer_in("Limit", 1..=LIMIT_MAX, CODE)?.unwrap_or(LIMIT_DEFAULT);
    Ok((usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::md5_hex;

    #[test]
    fn sums_are_those_of_the_documentation() {
        assert_eq!(md5_hex("name"), "b068931cc450442b63f5b3d276ea4297");
        assert_eq!(md5_hex("john"), "527bd5b5d689e2c32ae974c6229ff785");
    }
}
