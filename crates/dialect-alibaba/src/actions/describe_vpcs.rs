//! DescribeVpcs.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::{Kind, Record};
use causeway_ops::{Operation, Outcome};
use serde_json::Value;

use crate::action::{Action, Input};
use crate::selects::List;
use crate::shapes::{network, page};
use crate::tags::{self, Codes};

pub const ACTION: Action = Action { service: "vpc", name: "DescribeVpcs", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    if let Some(group) = fields.text("ResourceGroupId")
        && !input.account.is_some_and(|account| account.has_group(&group))
    {
        let message = "The Specified ResourceGroupId not exists.";
        return Err(Failure::new(400, "InvalidResourceGroupId.NotFound", message));
    }
    List::of(Kind::Network)
        .ids(fields, "VpcId")
        .named(fields, "VpcName")
        .owned_by(fields, "VpcOwnerId")?
        .in_group(fields)
        .matching(
            fields.boolean("IsDefault")?,
            |record, wanted| matches!(record, Record::Network(it) if it.is_default == *wanted),
        )
        // There is no IPv6, and there are no DHCP options sets.
        .matching(fields.boolean("EnableIpv6")?, |_, wanted| !*wanted)
        .matching(fields.text("DhcpOptionsSetId"), |_, _| false)
        .with(tags::filter(fields, Codes::Vpc)?)
        .page(fields)
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    page::page(outcome, context, ("Vpcs", "Vpc"), |record| match record {
        Record::Network(it) => Some(network::describe_in_list(it, context.view)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn pages_and_filters() {
        let mut world = World::new();
        let ids: Vec<String> = ["a", "b", "b"]
            .map(|name| {
                let pairs = [("VpcName", name), ("Tag.1.Key", "k"), ("Tag.1.Value", name)];
                world.made("CreateVpc", &pairs, "VpcId")
            })
            .into();
        let count =
            |world: &mut World, pairs: &[(&str, &str)]| world.ok("DescribeVpcs", pairs)["TotalCount"].clone();
        assert_eq!(count(&mut world, &[]), 3);
        assert_eq!(count(&mut world, &[("VpcName", "b")]), 2);
        assert_eq!(count(&mut world, &[("VpcId", &ids[0])]), 1);
        assert_eq!(count(&mut world, &[("VpcId", "vpc-none")]), 0);
        assert_eq!(count(&mut world, &[("Tag.1.Key", "k"), ("Tag.1.Value", "a")]), 1);
        assert_eq!(count(&mut world, &[("Tag.1.Key", "k")]), 3);
        assert_eq!(count(&mut world, &[("IsDefault", "True")]), 0);
        assert_eq!(count(&mut world, &[("ResourceGroupId", "rg-2")]), 0);
        let unknown = [("ResourceGroupId", "rg-none")];
        assert_eq!(world.code("DescribeVpcs", &unknown), "InvalidResourceGroupId.NotFound");
        let second = world.ok("DescribeVpcs", &[("PageSize", "2"), ("PageNumber", "2")]);
        assert_eq!(second["Vpcs"]["Vpc"].as_array().unwrap().len(), 1);
        assert_eq!(second["Vpcs"]["Vpc"][0]["VpcId"], ids[2].as_str());
        assert_eq!(second["PageNumber"], 2);
        let beyond = world.ok("DescribeVpcs", &[("PageNumber", "9")]);
        assert_eq!(beyond["Vpcs"]["Vpc"].as_array().unwrap().len(), 0);
        assert_eq!(beyond["TotalCount"], 3);
    }
}
