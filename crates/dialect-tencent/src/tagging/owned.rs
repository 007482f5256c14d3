//! The caller's resources that can have tags, in every region.

use causeway_dialect::EncodeContext;
use causeway_model::{DialectId, Key, Kind, ListKey, Meta, Record, Region};
use md5::{Digest, Md5};
use serde_json::{Value, json};

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
    match members.text("CreateUin") {
        Some(creator) if creator != context.caller.account.as_str() => Vec::new(),
        _ => tagged(context),
    }
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
