//! Lists: ids or filters, and the page.

use std::sync::Arc;

use causeway_dialect::EncodeContext;
use causeway_model::{ExternalId, Kind, Record};
use causeway_ops::{Clause, ListQuery, Operation, Outcome, Query};
use serde_json::Value;

use crate::action::{self, Answer, Input};
use crate::ids;
use crate::params::Members;
use crate::refusal::Refusal;

/// Ids of one call at most.
const IDS_MAX: usize = 100;
/// Items of a page at most.
const LIMIT_MAX: i64 = 100;
/// Items of a page by default.
const LIMIT_DEFAULT: i64 = 20;
/// Filters, and values of each, where their number is limited.
const FILTERS_MAX: usize = 10;
const FILTER_VALUES_MAX: usize = 5;

/// A filter: its name (one that ends with a colon matches every name that starts so), and the condition it
/// makes of the name and values it is given.
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    /// The name.
    pub name: &'static str,
    /// Makes the condition.
    pub clause: fn(&str, Vec<String>) -> Clause,
}

/// A list of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Listing {
    /// What is listed.
    pub kind: Kind,
    /// The parameter with the ids.
    pub ids: &'static str,
    /// The code of malformed ids.
    pub malformed: &'static str,
    /// The filters.
    pub filters: &'static [Filter],
    /// The number of filters and of their values is limited.
    pub is_limited: bool,
    /// Resources on their way out are not shown: the API has no state for them.
    pub hides_deleting: bool,
    /// The member with the list in the answer.
    pub set: &'static str,
    /// Writes one record; nothing for those of another kind.
    pub shape: fn(&EncodeContext<'_>, &Record) -> Option<Value>,
}

impl Listing {
    /// The operation that reads the page asked for.
    ///
    /// # Errors
    /// The refusals of ids, filters and pages.
    pub fn decode(&self, input: &Input<'_>) -> Result<Operation, Refusal> {
        let members = input.members();
        self.decode_page(&members, page(&members)?)
    }

    /// The operation that reads a page: where it begins, and its length.
    ///
    /// # Errors
    /// The refusals of ids and filters.
    pub fn decode_page(
        &self,
        members: &Members<'_>,
        (offset, limit): (usize, usize),
    ) -> Result<Operation, Refusal> {
        let ids = members.texts(self.ids);
        let filters = members.structures("Filters");
        if !ids.is_empty() && !filters.is_empty() {
            return Err(Refusal::coexist(self.ids, "Filters"));
        }
        let mut clauses = Vec::new();
        if !ids.is_empty() {
            clauses.push(self.ids_clause(ids)?);
        }
        if self.is_limited && filters.len() > FILTERS_MAX {
            return Err(too_many("Filters", FILTERS_MAX));
        }
        for filter in filters {
            clauses.push(self.filter_clause(&filter)?);
        }
        if self.hides_deleting {
            clauses.push(Clause::test(|_, record| record.meta().is_some_and(|meta| !meta.deleting)));
        }
        Ok(Operation::Read(Query::List(ListQuery { kind: self.kind, clauses, offset, limit })))
    }

    /// The answer: `TotalCount`, and the list, which is never null.
    pub fn answer(&self, outcome: &Outcome, context: &EncodeContext<'_>) -> Answer {
        let (total, items) = action::shaped(outcome, |record| (self.shape)(context, record));
        action::page(self.set, total, items)
    }

    fn ids_clause(&self, ids: Vec<String>) -> Result<Clause, Refusal> {
        if ids.len() > IDS_MAX {
            return Err(too_many(self.ids, IDS_MAX));
        }
        let prefix = ids::prefix(self.kind);
        if let Some(wrong) = ids.iter().find(|id| !ids::is_well_formed(id, prefix)) {
            return Err(Refusal::malformed(self.malformed, self.ids, wrong));
        }
        Ok(Clause::Ids(ids.into_iter().map(ExternalId::from).collect()))
    }

    fn filter_clause(&self, filter: &Members<'_>) -> Result<Clause, Refusal> {
        let name = filter.text("Name").unwrap_or_default();
        let values = filter.texts("Values");
        if self.is_limited && values.len() > FILTER_VALUES_MAX {
            return Err(too_many(&filter.path("Values"), FILTER_VALUES_MAX));
        }
        let fits = |known: &&Filter| {
            known.name == name || (known.name.ends_with(':') && name.starts_with(known.name))
        };
        match self.filters.iter().find(fits) {
            Some(known) => Ok((known.clause)(&name, values)),
            None => Err(Refusal::new(
                "InvalidParameter.FilterInvalidKey",
                format!("The filter `{name}` is not supported."),
                format!("不支持的过滤条件`{name}`。"),
            )),
        }
    }
}

fn too_many(name: &str, limit: usize) -> Refusal {
    Refusal::new(
        "InvalidParameterValue.LimitExceeded",
        format!("The number of values of the parameter `{name}` exceeds the limit `{limit}`."),
        format!("参数`{name}`的数量超过上限`{limit}`。"),
    )
}

/// `Offset` and `Limit`.
///
/// # Errors
/// `InvalidParameterValue.Range`.
pub fn page(members: &Members<'_>) -> Result<(usize, usize), Refusal> {
    const RANGE: &str = "InvalidParameterValue.Range";
    let offset = members.integer_in("Offset", 0..=i64::MAX, RANGE)?.unwrap_or(0);
    let limit = members.integer_in("Limit", 1..=LIMIT_MAX, RANGE)?.unwrap_or(LIMIT_DEFAULT);
    Ok((usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or_default()))
}

/// Its own id is one of the values.
pub fn by_id(_: &str, values: Vec<String>) -> Clause {
    Clause::Ids(values.into_iter().map(ExternalId::from).collect())
}

/// It belongs to one of these networks.
pub fn by_network(_: &str, values: Vec<String>) -> Clause {
    Clause::ChildOf(Kind::Network, values.into_iter().map(ExternalId::from).collect())
}

/// It belongs to one of these gateways.
pub fn by_gateway(_: &str, values: Vec<String>) -> Clause {
    Clause::ChildOf(Kind::Gateway, values.into_iter().map(ExternalId::from).collect())
}

/// It belongs to one of these customer gateways.
pub fn by_customer_gateway(_: &str, values: Vec<String>) -> Clause {
    Clause::ChildOf(Kind::CustomerGateway, values.into_iter().map(ExternalId::from).collect())
}

/// Its name is one of the values (whether the cloud matches parts of VPN names is unverified).
pub fn by_name(_: &str, values: Vec<String>) -> Clause {
    Clause::test(move |_, record| record.meta().is_some_and(|meta| values.contains(&meta.name)))
}

/// Its name contains one of the values.
pub fn by_part_of_name(_: &str, values: Vec<String>) -> Clause {
    Clause::test(move |_, record| {
        record.meta().is_some_and(|meta| values.iter().any(|value| meta.name.contains(value.as_str())))
    })
}

/// It has a tag with one of these keys.
pub fn by_tag_key(_: &str, values: Vec<String>) -> Clause {
    Clause::test(move |_, record| {
        record.meta().is_some_and(|meta| values.iter().any(|key| meta.tags.contains_key(key)))
    })
}

/// `tag:<key>`: the tag has one of these values.
pub fn by_tag(name: &str, values: Vec<String>) -> Clause {
    let key = name.strip_prefix("tag:").unwrap_or_default().to_owned();
    Clause::test(move |_, record| {
        let value = record.meta().and_then(|meta| meta.tags.get(&key));
        value.is_some_and(|value| values.contains(value))
    })
}

/// A text that is made of the record is one of the values, whatever the case.
pub fn by_text(values: Vec<String>, text: fn(&Record) -> String) -> Clause {
    let values: Arc<[String]> = values.into_iter().map(|value| value.to_lowercase()).collect();
    Clause::test(move |_, record| values.contains(&text(record).to_lowercase()))
}

/// Nothing has it: a filter of something that this service does not have.
pub fn by_nothing(_: &str, _: Vec<String>) -> Clause {
    Clause::test(|_, _| false)
}

#[cfg(test)]
mod tests {
    use causeway_dialect::Params;
    use serde_json::json;

    use super::*;

    const LISTING: Listing = Listing {
        kind: Kind::Gateway,
        ids: "VpnGatewayIds",
        malformed: "InvalidVpnGatewayId.Malformed",
        filters: &[Filter { name: "vpc-id", clause: by_network }, Filter { name: "tag:", clause: by_tag }],
        is_limited: true,
        hides_deleting: false,
        set: "VpnGatewaySet",
        shape: |_, _| None,
    };

    fn decoded(value: Value) -> Result<ListQuery, &'static str> {
        let params = Params(value.as_object().cloned().unwrap_or_default());
        let members = Members::new(&params);
        let decoded = page(&members).and_then(|page| LISTING.decode_page(&members, page));
        match decoded {
            Ok(Operation::Read(Query::List(list))) => Ok(list),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Err(refusal.code),
        }
    }

    #[test]
    fn pages_have_defaults_and_bounds() {
        let list = decoded(json!({})).unwrap();
        assert_eq!((list.offset, list.limit, list.clauses.len()), (0, 20, 0));
        let list = decoded(json!({"Offset": "40", "Limit": 100})).unwrap();
        assert_eq!((list.offset, list.limit), (40, 100));
        for wrong in [json!({"Limit": 0}), json!({"Limit": 101}), json!({"Offset": -1})] {
            assert_eq!(decoded(wrong).err(), Some("InvalidParameterValue.Range"));
        }
    }

    #[test]
    fn ids_and_filters_are_checked() {
        let filter = |name: &str| json!([{"Name": name, "Values": ["x"]}]);
        let cases = [
            (json!({"VpnGatewayIds": ["vpngw-a"], "Filters": filter("vpc-id")}), "InvalidParameter.Coexist"),
            (json!({"VpnGatewayIds": ["vpn-a"]}), "InvalidVpnGatewayId.Malformed"),
            (json!({"VpnGatewayIds": vec!["vpngw-a"; 101]}), "InvalidParameterValue.LimitExceeded"),
            (json!({"Filters": filter("VpcId")}), "InvalidParameter.FilterInvalidKey"),
            (
                json!({"Filters": vec![filter("vpc-id")[0].clone(); 11]}),
                "InvalidParameterValue.LimitExceeded",
            ),
            (
                json!({"Filters": [{"Name": "vpc-id", "Values": vec!["v"; 6]}]}),
                "InvalidParameterValue.LimitExceeded",
            ),
        ];
        for (given, code) in cases {
            assert_eq!(decoded(given).err(), Some(code));
        }
        // Clients send the empty list of what they do not use.
        assert!(decoded(json!({"VpnGatewayIds": [], "Filters": filter("tag:city")})).is_ok());
    }
}
