//! CreateRouteEntry.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::operation::{CreateRoutes, Label, NewRoute, NextHopRef};
use causeway_ops::{Operation, Outcome};
use ipnet::IpNet;
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::labels::VpcTexts;
use crate::params::Fields;
use crate::shapes::route::VPN_GATEWAY;
use crate::{cidr, selects};

pub const ACTION: Action = Action { service: "vpc", name: "CreateRouteEntry", decode, encode };

/// The words for types of next hops. Of all but VPN gateways there are none here.
const NEXT_HOPS: &[&str] = &[
    VPN_GATEWAY,
    "Instance",
    "HaVip",
    "RouterInterface",
    "NetworkInterface",
    "IPv6Gateway",
    "NatGateway",
    "Attachment",
    "VpcPeer",
    "Ipv4Gateway",
    "GatewayEndpoint",
    "CEN",
    "Ecr",
];

fn bad(code: &str, message: &str) -> Failure {
    Failure::new(400, code, message)
}

fn next_hop(fields: &Fields<'_>) -> Result<NextHopRef, Failure> {
    let has_list = fields.value("NextHopList").is_some();
    let id = fields.id("NextHopId");
    match (has_list, id) {
        (true, Some(_)) => Err(bad(
            "InvalidNexthopTypeAndList.BothNotNull",
            "both nexthopType and nextHopList are not null.",
        )),
        (false, None) => {
            Err(bad("InvalidNexthopTypeAndList.BothNull", "both nexthopType and nextHopList are null."))
        }
        // Several next hops are for router interfaces, and there are none.
        (true, None) => Err(bad(
            "OperationUnsupported.EcmpRiTypeOrNumber",
            "Emcp entry not supported if vpc-vbr or vbr-vlan ri does not exist.",
        )),
        (false, Some(id)) => {
            let kind = fields.word("NextHopType", NEXT_HOPS).map_err(|_| {
                bad("InvalidNextHopType", "Specified parameter \"NextHopType\" is not valid.")
            })?;
            Ok(match kind.unwrap_or("Instance") {
                VPN_GATEWAY => NextHopRef::Gateway(id),
                kind => NextHopRef::Other { kind: kind.to_owned(), id: id.as_str().to_owned() },
            })
        }
    }
}

/// The destination of a route.
///
/// # Errors
/// `InvalidCidrBlock.Malformed`.
pub fn destination(text: &str) -> Result<IpNet, Failure> {
    cidr::range(text)
        .map(IpNet::V4)
        .ok_or_else(|| bad("InvalidCidrBlock.Malformed", "Specified CIDR block is not valid."))
}

const TEXTS: VpcTexts = VpcTexts {
    name: "RouteEntryName",
    refusals: [
        ("InvalidRouteEntryName.Malformed", "Specified RouteEntry name is not valid."),
        ("InvalidDescription.Malformed", "Invalid description."),
    ],
};

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    let destination = destination(&fields.required("DestinationCidrBlock")?)?;
    if matches!(destination, IpNet::V4(range) if cidr::is_reserved(&range)) {
        let message = "The specified destinationCidrBlock must not included in black list cidr.";
        return Err(bad("InvalidDestinationCidrBlock", message));
    }
    let (name, description) = TEXTS.of_new(fields)?;
    let route = NewRoute {
        label: Label { name, description, ..Label::default() },
        destination,
        next_hop: next_hop(fields)?,
        enabled: true,
    };
    let table = fields.required_id("RouteTableId")?;
    Ok(Operation::CreateRoutes(CreateRoutes { table, routes: vec![route] }))
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    json!({"RouteEntryId": selects::subject(outcome).map(|key| context.view.external(key)).unwrap_or_default()})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn each_rule_has_its_code() {
        let mut world = World::new();
        let (table, gateway) = world.table_with_gateway();
        let mut code = |destination: &str, kind: &str, id: &str| {
            let pairs = [
                ("RouteTableId", table.as_str()),
                ("DestinationCidrBlock", destination),
                ("NextHopType", kind),
                ("NextHopId", id),
            ];
            world.call("CreateRouteEntry", &pairs).map_or_else(|failure| failure.code, |_| "made".to_owned())
        };
        assert_eq!(code("192.168.0.0/16", "VpnGateway", &gateway), "made");
        assert_eq!(code("192.168.0.0/16", "VpnGateway", &gateway), "InvalidCIDRBlock.Duplicate");
        assert_eq!(code("10.0.1.0/25", "VpnGateway", &gateway), "RouteConflict.AlreadyExist");
        assert_eq!(code("192.168.0.1/16", "VpnGateway", &gateway), "InvalidCidrBlock.Malformed");
        assert_eq!(code("100.64.0.0/16", "VpnGateway", &gateway), "InvalidDestinationCidrBlock");
        assert_eq!(code("172.16.0.0/12", "VpnGateway", "vpn-none"), "InvalidNextHop.NotFound");
        assert_eq!(code("172.16.0.0/12", "Odd", &gateway), "InvalidNextHopType");
        assert_eq!(code("172.16.0.0/12", "VpnGateway", ""), "InvalidNexthopTypeAndList.BothNull");
        for (kind, refusal) in [
            ("Instance", "IllegalParam.NextHopId"),
            ("NatGateway", "InvalidNatGateway.NotFound"),
            ("RouterInterface", "InvalidNexthop.NotFound"),
        ] {
            assert_eq!(code("172.16.0.0/12", kind, "x-1"), refusal);
        }
    }

    #[test]
    fn an_unknown_table_is_404() {
        let pairs = [
            ("RouteTableId", "vtb-none"),
            ("DestinationCidrBlock", "192.168.0.0/16"),
            ("NextHopType", "VpnGateway"),
            ("NextHopId", "vpn-1"),
        ];
        let failure = World::new().call("CreateRouteEntry", &pairs).unwrap_err();
        assert_eq!((failure.status, failure.code.as_str()), (404, "InvalidRouteTableId.NotFound"));
    }
}
