//! DescribeVpnGateways.

use causeway_dialect::EncodeContext;
use causeway_model::{Charge, Gateway, Kind, Record};
use causeway_ops::{Clause, Operation, Outcome};
use serde_json::Value;

use crate::action::{self, Action, Answer, Input};
use crate::facet::{self, GatewayFacet};
use crate::listing::{self, Filter, Listing};
use crate::refusal::Refusal;
use crate::shapes::gateway::gateway;

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "DescribeVpnGateways", decode, encode };

const LISTING: Listing = Listing {
    kind: Kind::Gateway,
    ids: "VpnGatewayIds",
    malformed: "InvalidVpnGatewayId.Malformed",
    filters: &[
        Filter { name: "vpc-id", clause: listing::by_network },
        Filter { name: "vpn-gateway-id", clause: listing::by_id },
        Filter { name: "vpn-gateway-name", clause: listing::by_name },
        Filter { name: "type", clause: by_type },
        Filter { name: "public-ip-address", clause: by_public_ip },
        Filter { name: "renew-flag", clause: by_renew_flag },
        Filter { name: "zone", clause: by_zone },
    ],
    is_limited: false,
    hides_deleting: false,
    set: "VpnGatewaySet",
    shape,
};

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    LISTING.decode(input)
}

fn own(record: &Record) -> GatewayFacet {
    record.meta().map(|meta| facet::read(&meta.facet)).unwrap_or_default()
}

fn as_gateway(record: &Record) -> Option<&Gateway> {
    match record {
        Record::Gateway(it) => Some(it),
        _ => None,
    }
}

fn by_type(_: &str, values: Vec<String>) -> Clause {
    listing::by_text(values, |record| own(record).kind)
}

fn by_zone(_: &str, values: Vec<String>) -> Clause {
    listing::by_text(values, |record| own(record).zone)
}

fn by_renew_flag(_: &str, values: Vec<String>) -> Clause {
    listing::by_text(values, |record| match as_gateway(record).map(|it| it.charge) {
        Some(Charge::PrePaid { .. }) => own(record).renew_flag,
        _ => "NOTIFY_AND_AUTO_RENEW".to_owned(),
    })
}

fn by_public_ip(_: &str, values: Vec<String>) -> Clause {
    listing::by_text(values, |record| {
        let first = as_gateway(record).and_then(|it| it.instances.first());
        first.map(|instance| instance.public_ip.to_string()).unwrap_or_default()
    })
}

/// See [`Listing::shape`]. The answer itself is written without these trees.
fn shape(context: &EncodeContext<'_>, record: &Record) -> Option<Value> {
    serde_json::to_value(gateway(context, as_gateway(record)?)).ok()
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let (total, items) = action::shaped(outcome, |record| Some(gateway(context, as_gateway(record)?)));
    Ok(action::page(LISTING.set, total, items))
}

#[cfg(test)]
mod tests {
    use causeway_model::fixtures;
    use causeway_ops::Query;
    use serde_json::json;

    use super::*;
    use crate::testing;

    #[test]
    fn nothing_found_is_an_empty_list_and_not_null() {
        let empty = Outcome::Page { items: Vec::new(), total: 0 };
        let answer = testing::encode("DescribeVpnGateways", json!({}), &empty);
        assert_eq!(answer, json!({"TotalCount": 0, "VpnGatewaySet": []}));
    }

    #[test]
    fn filters_test_what_the_api_shows() {
        let mut it = fixtures::gateway(1);
        it.meta.facet = facet::write(&GatewayFacet { kind: "CCN".to_owned(), ..GatewayFacet::default() });
        let record = Record::from(it);
        let cases = [
            ("type", "CCN", true),
            ("type", "IPSEC", false),
            ("renew-flag", "NOTIFY_AND_AUTO_RENEW", true),
            ("public-ip-address", "100.64.0.11", true),
            ("public-ip-address", "100.64.0.12", false),
            ("vpn-gateway-name", "gw1", true),
            ("vpn-gateway-name", "gw", false),
        ];
        for (name, value, matches) in cases {
            let filters = json!({"Filters": [{"Name": name, "Values": [value]}]});
            let Ok(Operation::Read(Query::List(list))) = testing::decode("DescribeVpnGateways", filters)
            else {
                panic!("{name} is a filter");
            };
            let [Clause::Where(test)] = list.clauses.as_slice() else { panic!("{name} is a test") };
            assert_eq!(test(&causeway_model::View::default(), &record), matches, "{name} {value}");
        }
    }
}
