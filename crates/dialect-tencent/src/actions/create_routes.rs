//! CreateRoutes: routes of a VPC's route table. Synchronous; the answer holds the whole table.

use causeway_dialect::EncodeContext;
use causeway_model::{ExternalId, Kind, Record, RouteId};
use causeway_ops::operation::{CreateRoutes, Label, NewRoute, NextHopRef};
use causeway_ops::{Operation, Outcome};
use ipnet::IpNet;

use crate::action::{self, Action, Answer, Input};
use crate::ids;
use crate::params::{MALFORMED, Members};
use crate::refusal::Refusal;
use crate::shapes::route_table::route_table;

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "CreateRoutes", decode, encode };

/// The types of next hops. Of all but `VPN` there are none here.
const GATEWAY_TYPES: [&str; 12] = [
    "CVM",
    "VPN",
    "DIRECTCONNECT",
    "PEERCONNECTION",
    "HAVIP",
    "NAT",
    "NORMAL_CVM",
    "EIP",
    "LOCAL_GATEWAY",
    "INTRANAT",
    "USER_CCN",
    "GWLB_ENDPOINT",
];

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let table = members.required_id("RouteTableId", Kind::RouteTable, "InvalidParameterValue.Malformed")?;
    let routes = members.structures("Routes");
    if routes.is_empty() {
        return Err(Refusal::empty("Routes"));
    }
    let routes = routes.iter().map(route).collect::<Result<Vec<_>, _>>()?;
    Ok(Operation::CreateRoutes(CreateRoutes { table, routes }))
}

fn route(it: &Members<'_>) -> Result<NewRoute, Refusal> {
    if it.text("DestinationIpv6CidrBlock").is_some() {
        return Err(Refusal::unsupported("IPv6 routes"));
    }
    it.required("DestinationCidrBlock")?;
    let name = "DestinationCidrBlock";
    let destination = it.cidr(name)?.ok_or_else(|| Refusal::missing(&it.path(name)))?;
    it.required("GatewayType")?;
    let kind = it.word("GatewayType", &GATEWAY_TYPES)?.unwrap_or_default();
    let gateway = it.required("GatewayId")?;
    let next_hop = match kind {
        "VPN" if !ids::is_well_formed(&gateway, ids::prefix(Kind::Gateway)) => {
            return Err(Refusal::malformed(MALFORMED, &it.path("GatewayId"), &gateway));
        }
        "VPN" => NextHopRef::Gateway(ExternalId::from(gateway)),
        _ => NextHopRef::Other { kind: kind.to_owned(), id: gateway },
    };
    let description = it.text("RouteDescription").unwrap_or_default();
    let label = Label { description, ..Label::default() };
    let enabled = it.flag("Enabled").unwrap_or(true);
    Ok(NewRoute { label, destination: IpNet::V4(destination), next_hop, enabled })
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let view = context.view;
    let first = action::created(outcome).and_then(|key| view.route(RouteId(key.id)));
    let table = first.and_then(|route| view.route_table(route.table)).ok_or_else(action::lost)?;
    let own = view.children(table.id, Kind::Route);
    let total = own.filter(|record| matches!(record, Record::Route(route) if !route.system)).count();
    Ok(action::page("RouteTableSet", total, vec![route_table(view, table, true)]))
}

#[cfg(test)]
mod tests {
    use causeway_model::View;
    use serde_json::json;

    use crate::testing;

    #[test]
    fn routes_are_made_shown_and_deleted_by_their_number() {
        let mut view = View::default();
        let vpc = json!({"VpcName": "v", "CidrBlock": "10.0.0.0/16"});
        let vpc = testing::call(&mut view, "vpc", "CreateVpc", vpc).unwrap();
        let id = vpc["Vpc"]["VpcId"].clone();
        let gateway = json!({"VpcId": id, "VpnGatewayName": "g", "InternetMaxBandwidthOut": 5});
        let gateway = testing::call(&mut view, "vpc", "CreateVpnGateway", gateway).unwrap();
        let gateway = gateway["VpnGateway"]["VpnGatewayId"].clone();
        let tables = testing::call(&mut view, "vpc", "DescribeRouteTables", json!({})).unwrap();
        let table = tables["RouteTableSet"][0]["RouteTableId"].clone();
        let given = json!({"RouteTableId": table, "Routes": [{"DestinationCidrBlock": "192.168.0.0/24",
            "GatewayType": "VPN", "GatewayId": gateway, "RouteDescription": "d"}]});
        let made = testing::call(&mut view, "vpc", "CreateRoutes", given.clone()).unwrap();
        assert_eq!(made["TotalCount"], 1);
        let route = made["RouteTableSet"][0]["RouteSet"][0].clone();
        assert_eq!((&route["GatewayType"], &route["GatewayId"]), (&json!("VPN"), &gateway));
        assert!(route["RouteId"].is_u64() && route["Enabled"] == true);
        let mut inside = given.clone();
        inside["Routes"][0]["DestinationCidrBlock"] = json!("10.0.9.0/24");
        let inside = testing::call(&mut view, "vpc", "CreateRoutes", inside).expect_err("is the VPC's");
        assert_eq!(inside.code, "InvalidParameterValue.VpcCidrConflict");
        let again = testing::call(&mut view, "vpc", "CreateRoutes", given).expect_err("is there");
        assert_eq!(again.code, "InvalidParameterValue.Duplicate");
        let deletion = json!({"RouteTableId": table, "Routes": [{"RouteId": route["RouteId"]}]});
        let deleted = testing::call(&mut view, "vpc", "DeleteRoutes", deletion.clone()).unwrap();
        assert_eq!(deleted["RouteSet"], json!([route]), "what was there is what is said to be gone");
        let gone = testing::call(&mut view, "vpc", "DeleteRoutes", deletion).expect_err("is gone");
        assert_eq!(gone.code, "ResourceNotFound");
    }

    #[test]
    fn each_refusal_has_its_code() {
        let right =
            json!({"DestinationCidrBlock": "192.168.0.0/24", "GatewayType": "VPN", "GatewayId": "vpngw-1"});
        let cases = [
            (json!({"DestinationCidrBlock": null}), "MissingParameter"),
            (json!({"DestinationCidrBlock": "192.168.0.1/24"}), "InvalidParameterValue.Malformed"),
            (json!({"GatewayType": "VPNGW"}), "InvalidParameterValue"),
            (json!({"GatewayId": "gw"}), "InvalidParameterValue.Malformed"),
            (json!({"RouteId": "5"}), "InvalidParameter"),
        ];
        for (extra, code) in cases {
            let route = testing::merged(right.clone(), extra.clone());
            let given = json!({"RouteTableId": "rtb-1", "Routes": [route]});
            assert_eq!(testing::decode("CreateRoutes", given).expect_err("is refused").code, code, "{extra}");
        }
        let empty = json!({"RouteTableId": "rtb-1", "Routes": []});
        let code = testing::decode("CreateRoutes", empty).expect_err("is refused").code;
        assert_eq!(code, "InvalidParameterValue.Empty");
    }
}
