//! DescribeVpcs.

use causeway_dialect::EncodeContext;
use causeway_model::{Kind, Record};
use causeway_ops::{Clause, Operation, Outcome};
use serde_json::Value;

use crate::action::{Action, Answer, Input};
use crate::listing::{self, Filter, Listing};
use crate::refusal::Refusal;
use crate::shapes::network::vpc;

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "DescribeVpcs", decode, encode };

const LISTING: Listing = Listing {
    kind: Kind::Network,
    ids: "VpcIds",
    malformed: "InvalidParameterValue.Malformed",
    filters: &[
        Filter { name: "vpc-name", clause: listing::by_part_of_name },
        Filter { name: "is-default", clause: by_is_default },
        Filter { name: "vpc-id", clause: listing::by_id },
        Filter { name: "cidr-block", clause: by_cidr },
        Filter { name: "tag-key", clause: listing::by_tag_key },
        Filter { name: "tag:", clause: listing::by_tag },
        Filter { name: "ipv6-cidr-block", clause: listing::by_nothing },
        Filter { name: "isp-type", clause: listing::by_nothing },
        Filter { name: "address-type", clause: listing::by_nothing },
    ],
    is_limited: false,
    hides_deleting: true,
    set: "VpcSet",
    shape,
};

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    LISTING.decode(input)
}

fn by_is_default(_: &str, values: Vec<String>) -> Clause {
    listing::by_text(values, |record| match record {
        Record::Network(it) => it.is_default.to_string(),
        _ => String::new(),
    })
}

fn by_cidr(_: &str, values: Vec<String>) -> Clause {
    listing::by_text(values, |record| match record {
        Record::Network(it) => it.cidr.to_string(),
        _ => String::new(),
    })
}

fn shape(context: &EncodeContext<'_>, record: &Record) -> Option<Value> {
    match record {
        Record::Network(it) => Some(vpc(context.view, it)),
        _ => None,
    }
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    Ok(LISTING.answer(outcome, context))
}
