//! DescribeSubnets.

use causeway_dialect::EncodeContext;
use causeway_model::{Kind, Record};
use causeway_ops::{Clause, Outcome};

use crate::action::{self, Action, Answer, Decoded, Input};
use crate::listing::{self, Filter, Listing};
use crate::refusal::Refusal;
use crate::shapes::subnet::subnet;

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "DescribeSubnets", decode, encode };

const LISTING: Listing = Listing {
    kind: Kind::Subnet,
    ids: "SubnetIds",
    malformed: "InvalidParameterValue.Malformed",
    filters: &[
        Filter { name: "subnet-id", clause: listing::by_id },
        Filter { name: "vpc-id", clause: listing::by_network },
        Filter { name: "cidr-block", clause: by_cidr },
        Filter { name: "is-default", clause: by_false },
        Filter { name: "is-remote-vpc-snat", clause: by_false },
        Filter { name: "subnet-name", clause: listing::by_name },
        Filter { name: "zone", clause: by_zone },
        Filter { name: "tag-key", clause: listing::by_tag_key },
        Filter { name: "tag:", clause: listing::by_tag },
        Filter { name: "cdc-id", clause: listing::by_nothing },
        Filter { name: "is-cdc-subnet", clause: by_zero },
        Filter { name: "ipv6-cidr-block", clause: listing::by_nothing },
        Filter { name: "isp-type", clause: listing::by_nothing },
        Filter { name: "address-type", clause: listing::by_nothing },
    ],
    is_limited: false,
    hides_deleting: true,
};

fn decode(input: &Input<'_>) -> Result<Decoded, Refusal> {
    let members = input.members();
    if members.has("MaxResults") || members.text("NextToken").is_some() {
        return Err(Refusal::unsupported("pages by `NextToken`; use `Offset` and `Limit`"));
    }
    LISTING.decode(&members).map(Decoded::from)
}

fn by_cidr(_: &str, values: Vec<String>) -> Clause {
    listing::by_text(values, |record| match record {
        Record::Subnet(it) => it.cidr.to_string(),
        _ => String::new(),
    })
}

fn by_zone(_: &str, values: Vec<String>) -> Clause {
    listing::by_text(values, |record| match record {
        Record::Subnet(it) => it.zone.to_string(),
        _ => String::new(),
    })
}

/// Every subnet is `false` in what is asked.
fn by_false(_: &str, values: Vec<String>) -> Clause {
    listing::by_text(values, |_| "false".to_owned())
}

fn by_zero(_: &str, values: Vec<String>) -> Clause {
    listing::by_text(values, |_| "0".to_owned())
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let (total, items) = action::shaped(outcome, |record| match record {
        Record::Subnet(it) => Some(subnet(context.view, it)),
        _ => None,
    });
    let mut answer = action::page("SubnetSet", total, items);
    answer.insert("NextToken", "");
    Ok(answer)
}
