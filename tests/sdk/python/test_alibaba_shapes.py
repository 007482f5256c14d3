"""Raw answers of every reading action against the catalogue: typed clients break on a wrong type."""

import pytest

from harness import shape
from harness.alibaba_world import World
from harness.sign_alibaba import v1_send

READS = [
    ("DescribeRegions", {}),
    ("DescribeZones", {}),
    ("DescribeVpcs", {}),
    ("DescribeVpcAttribute", {"VpcId": "vpc"}),
    ("DescribeVSwitches", {}),
    ("DescribeVSwitchAttributes", {"VSwitchId": "vswitch"}),
    ("DescribeRouteTableList", {}),
    ("DescribeRouteEntryList", {"RouteTableId": "table"}),
    ("DescribeVpnGatewayAvailableZones", {"Spec": "=5M"}),
    ("DescribeVpnGateways", {}),
    ("DescribeVpnGateway", {"VpnGatewayId": "single"}),
    ("DescribeVpnGateway", {"VpnGatewayId": "dual"}),
    ("DescribeVpnGateway", {"VpnGatewayId": "single", "IncludeReservationData": "=true"}),
    ("DescribeCustomerGateways", {}),
    ("DescribeCustomerGateway", {"CustomerGatewayId": "customer"}),
    ("DescribeVpnConnections", {}),
    ("DescribeVpnConnection", {"VpnConnectionId": "one_tunnel"}),
    ("DescribeVpnConnection", {"VpnConnectionId": "two_tunnels"}),
    ("DownloadVpnConnectionConfig", {"VpnConnectionId": "one_tunnel"}),
    ("DownloadVpnConnectionConfig", {"VpnConnectionId": "two_tunnels"}),
    ("ListTagResources", {"ResourceType": "=VPNGATEWAY", "ResourceId.1": "single"}),
]


@pytest.fixture(scope="module")
def populated(alibaba_clients):
    """One of everything, with tags, BGP and health checks."""
    api = alibaba_clients["acs3"]
    world = World(api)
    ids = {}
    ids["vpc"], ids["vswitch"], second = world.dual_site()
    tables = api("DescribeRouteTableList", VpcId=ids["vpc"])["RouterTableList"]["RouterTableListType"]
    ids["table"] = tables[0]["RouteTableId"]
    ids["single"] = world.gateway(ids["vpc"], ids["vswitch"])
    ids["dual"] = world.enhanced(ids["vpc"], ids["vswitch"], second)
    ids["customer"] = world.customer_gateway(Asn="65530", AuthKey="key", Tags=[{"Key": "a", "Value": "b"}])
    ids["one_tunnel"] = world.connection(
        ids["single"], ids["customer"], LocalSubnet="0.0.0.0/0", RemoteSubnet="0.0.0.0/0",
        BgpConfig={"EnableBgp": True, "LocalAsn": 45104, "TunnelCidr": "169.254.30.0/30", "LocalBgpIp": "169.254.30.1"},
        HealthCheckConfig={"enable": True, "dip": "192.168.10.1", "sip": "10.1.0.9", "interval": 3, "retry": 3},
        Tags=[{"Key": "a", "Value": "b"}],
    )
    ids["two_tunnels"] = world.connection(
        ids["dual"], None, RemoteSubnet="192.168.40.0/24", EnableTunnelsBgp=True,
        TunnelOptionsSpecification=[
            {
                "CustomerGatewayId": ids["customer"], "Role": role, "TunnelIkeConfig": {"Psk": "p"},
                "TunnelBgpConfig": {"LocalAsn": 45104, "TunnelCidr": f"{link}.0/30", "LocalBgpIp": f"{link}.1"},
            }
            for role, link in (("master", "169.254.40"), ("slave", "169.254.41"))
        ],
    )
    for kind, name in (("VPNGATEWAY", "single"), ("VPC", "vpc"), ("VSWITCH", "vswitch"), ("ROUTETABLE", "table")):
        api("TagResources", ResourceType=kind, ResourceId=[ids[name]], Tag=[{"Key": "a", "Value": "b"}])
    yield ids
    world.clean()


# Members of things that are not offered, so that no answer has them.
UNSEEN = {
    "DescribeVpcs.Vpcs.Vpc.Ipv6CidrBlocks.Ipv6CidrBlock", "DescribeVpcAttribute.Ipv6CidrBlocks.Ipv6CidrBlock",
    "DescribeVpcAttribute.AssociatedCens.AssociatedCen",
    "DescribeVpcAttribute.AssociatedPropagationSources.AssociatedPropagationSources",
    # Of routes with several next hops.
    "DescribeRouteEntryList.RouteEntrys.RouteEntry.NextHops.NextHop.NextHopRelatedInfo",
    # Of orders for renewals and upgrades, which nobody can place.
    "DescribeVpnGateways.VpnGateways.VpnGateway.ReservationData", "DescribeVpnGateway.ReservationData",
}


@pytest.mark.parametrize("action", sorted({action for action, _ in READS}))
def test_every_member_of_the_catalogue_is_shown(server, populated, action):
    answers = []
    for params in (params for name, params in READS if name == action):
        filled = {name: value[1:] if value.startswith("=") else populated[value] for name, value in params.items()}
        answers.append(v1_send(server, action, {"RegionId": "cn-hangzhou", **filled}).json())
    unseen = shape.alibaba_unseen(action, answers)
    assert not [member for member in unseen if not any(member.startswith(known) for known in UNSEEN)]
    stale = [known for known in UNSEEN if known.startswith(f"{action}.") and not any(it.startswith(known) for it in unseen)]
    assert not stale, "they are shown, and need no exception"


@pytest.mark.parametrize("action, params", READS, ids=[f"{n}-{a}" for n, (a, _) in enumerate(READS)])
def test_answers_have_the_catalogues_form(server, populated, action, params):
    filled = {name: value[1:] if value.startswith("=") else populated[value] for name, value in params.items()}
    reply = v1_send(server, action, {"RegionId": "cn-hangzhou", **filled})
    assert reply.status == 200, reply.body
    assert shape.alibaba(action, reply.json()) == []


EMPTY_LISTS = [
    ("DescribeVpcs", "Vpcs", "Vpc"),
    ("DescribeVSwitches", "VSwitches", "VSwitch"),
    ("DescribeVpnGateways", "VpnGateways", "VpnGateway"),
    ("DescribeCustomerGateways", "CustomerGateways", "CustomerGateway"),
    ("DescribeVpnConnections", "VpnConnections", "VpnConnection"),
    ("DescribeRouteTableList", "RouterTableList", "RouterTableListType"),
]


@pytest.mark.parametrize("action, outer, inner", EMPTY_LISTS)
def test_an_empty_list_is_a_list(server, action, outer, inner):
    reply = v1_send(server, action, {"RegionId": "cn-zhangjiakou"})
    assert reply.json()[outer] == {inner: []}
    assert reply.json()["TotalCount"] == 0
