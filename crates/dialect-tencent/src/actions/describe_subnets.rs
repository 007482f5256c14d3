//! DescribeSubnets.

use causeway_dialect::EncodeContext;
use causeway_model::{Kind, Record};
use causeway_ops::{Clause, Operation, Outcome};
use serde_json::Value;

use crate::action::{Action, Answer, Input};
use crate::listing::{self, Filter, Listing};
use crate::paging::{self, ByToken};
use crate::params::Members;
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
    set: "SubnetSet",
    shape,
};

const BY_TOKEN: ByToken = ByToken {
    token: "NextToken",
    malformed: "InvalidParameterValue.Malformed",
    out_of_bounds: "InvalidParameterValue.Range",
    default: 20,
    max: 100,
};

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    if !goes_by_token(&members) {
        return LISTING.decode(input);
    }
    if let Some(place) = ["Offset", "Limit"].into_iter().find(|name| members.has(name)) {
        return Err(Refusal::coexist(place, "NextToken"));
    }
    LISTING.decode_page(&members, BY_TOKEN.read(&members)?)
}

/// Pages go by token once one of its two parameters is given.
fn goes_by_token(members: &Members<'_>) -> bool {
    members.has("MaxResults") || members.text("NextToken").is_some()
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

fn shape(context: &EncodeContext<'_>, record: &Record) -> Option<Value> {
    match record {
        Record::Subnet(it) => Some(subnet(context.view, it)),
        _ => None,
    }
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let members = Members::new(&context.envelope.params);
    let token = match (outcome, goes_by_token(&members)) {
        (Outcome::Page { total, .. }, true) => {
            let (start, limit) = BY_TOKEN.read(&members)?;
            paging::next(start, limit, *total)
        }
        _ => String::new(),
    };
    let mut answer = LISTING.answer(outcome, context);
    answer.insert("NextToken", token);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use causeway_model::View;
    use serde_json::{Value, json};

    use crate::testing;

    fn with_three_subnets() -> View {
        let mut view = View::default();
        let vpc = json!({"VpcName": "v", "CidrBlock": "10.0.0.0/16"});
        let vpc = testing::call(&mut view, "vpc", "CreateVpc", vpc).unwrap()["Vpc"]["VpcId"].clone();
        for n in 0..3 {
            let subnet = json!({
                "VpcId": vpc, "SubnetName": format!("s{n}"), "CidrBlock": format!("10.0.{n}.0/24"),
                "Zone": "ap-guangzhou-1",
            });
            testing::call(&mut view, "vpc", "CreateSubnet", subnet).unwrap();
        }
        view
    }

    fn names(answer: &Value) -> Vec<&str> {
        let set = answer["SubnetSet"].as_array().unwrap();
        set.iter().map(|subnet| subnet["SubnetName"].as_str().unwrap()).collect()
    }

    #[test]
    fn tokens_lead_to_the_end() {
        let mut view = with_three_subnets();
        let mut page = |params: Value| testing::call(&mut view, "vpc", "DescribeSubnets", params).unwrap();
        let first = page(json!({"MaxResults": 2}));
        assert_eq!((names(&first), &first["NextToken"]), (vec!["s0", "s1"], &json!("2")));
        let last = page(json!({"MaxResults": 2, "NextToken": "2"}));
        assert_eq!((names(&last), &last["NextToken"]), (vec!["s2"], &json!("")));
        assert_eq!(last["TotalCount"], 3);
        assert_eq!(page(json!({"Offset": "0", "Limit": "1"}))["NextToken"], "");
    }

    #[test]
    fn tokens_and_places_exclude_each_other() {
        let mut view = with_three_subnets();
        for (params, code) in [
            (json!({"NextToken": "2", "Offset": "0"}), "InvalidParameter.Coexist"),
            (json!({"NextToken": "two"}), "InvalidParameterValue.Malformed"),
            (json!({"MaxResults": 0}), "InvalidParameterValue.Range"),
            (json!({"MaxResults": 101}), "InvalidParameterValue.Range"),
        ] {
            let refusal = testing::call(&mut view, "vpc", "DescribeSubnets", params).unwrap_err();
            assert_eq!(refusal.code, code);
        }
    }
}
