//! DescribeCustomerGateways.

use causeway_dialect::EncodeContext;
use causeway_model::{Kind, Record};
use causeway_ops::{Clause, Operation, Outcome};
use serde_json::Value;

use crate::action::{Action, Answer, Input};
use crate::listing::{self, Filter, Listing};
use crate::params::MALFORMED;
use crate::refusal::Refusal;
use crate::shapes::customer_gateway::customer_gateway;

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "DescribeCustomerGateways", decode, encode };

const LISTING: Listing = Listing {
    kind: Kind::CustomerGateway,
    ids: "CustomerGatewayIds",
    malformed: MALFORMED,
    filters: &[
        Filter { name: "customer-gateway-id", clause: listing::by_id },
        Filter { name: "customer-gateway-name", clause: listing::by_name },
        Filter { name: "ip-address", clause: by_ip },
        Filter { name: "ip-version", clause: by_ip_version },
    ],
    is_limited: true,
    hides_deleting: false,
    set: "CustomerGatewaySet",
    shape,
};

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    LISTING.decode(input)
}

fn by_ip(_: &str, values: Vec<String>) -> Clause {
    listing::by_text(values, |record| match record {
        Record::CustomerGateway(it) => it.ip.to_string(),
        _ => String::new(),
    })
}

fn by_ip_version(_: &str, values: Vec<String>) -> Clause {
    listing::by_text(values, |record| match record {
        Record::CustomerGateway(it) if it.ip.is_ipv6() => "IPv6".to_owned(),
        _ => "IPv4".to_owned(),
    })
}

fn shape(context: &EncodeContext<'_>, record: &Record) -> Option<Value> {
    match record {
        Record::CustomerGateway(it) => Some(customer_gateway(context.view, it)),
        _ => None,
    }
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    Ok(LISTING.answer(outcome, context))
}
