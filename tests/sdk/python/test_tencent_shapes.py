"""Raw answers of every reading action against the catalogue: typed clients break on a wrong type."""

import pytest

from harness import shape
from harness.sign_tencent import tc3_send
from harness.tencent_world import World

READS = [
    ("vpc", "DescribeVpcs", {}),
    ("vpc", "DescribeSubnets", {}),
    ("vpc", "DescribeRouteTables", {}),
    ("vpc", "DescribeVpnGateways", {}),
    ("vpc", "DescribeCustomerGateways", {}),
    ("vpc", "DescribeVpnConnections", {}),
    ("vpc", "DescribeCustomerGatewayVendors", {}),
    ("cvm", "DescribeRegions", {}),
    ("cvm", "DescribeZones", {}),
    ("region", "DescribeRegions", {"Product": "vpc"}),
    ("region", "DescribeZones", {"Product": "vpc"}),
    ("api", "DescribeZones", {"Product": "vpc"}),
    ("sts", "GetCallerIdentity", {}),
]


@pytest.fixture(scope="module")
def populated(tencent_clients):
    """One of everything."""
    world = World(tencent_clients["tc3-post"])
    tags = [{"Key": "a", "Value": "b"}]
    vpc = world.vpc(Tags=tags)
    world.subnet(vpc, Tags=tags)
    mine = [{"Name": "vpc-id", "Values": [vpc]}]
    table = world.api("DescribeRouteTables", Filters=mine)["RouteTableSet"][0]["RouteTableId"]
    world.api(
        "AttachResourcesTag", service="tag", ServiceType="vpc", ResourcePrefix="rtb", ResourceRegion="ap-guangzhou",
        ResourceIds=[table], TagKey="a", TagValue="b",
    )
    gateway = world.gateway(vpc, Tags=tags)
    with_bgp = world.gateway(vpc, InternetMaxBandwidthOut=200, BgpAsn=64551, BgpEnable=True)
    world.connection(
        with_bgp, world.customer_gateway(BgpAsn=65010), RouteType="Bgp",
        BgpConfig={"TunnelCidr": "169.254.128.0/30", "LocalBgpIp": "169.254.128.1", "RemoteBgpIp": "169.254.128.2"},
    )
    world.gateway("", Type="CCN")
    first = world.customer_gateway(BgpAsn=65001, Tags=[{"Key": "a", "Value": "b"}])
    world.connection(gateway, first, EnableHealthCheck=True)
    world.connection(
        gateway, world.customer_gateway(), RouteType="Policy",
        SecurityPolicyDatabases=[{"LocalCidrBlock": "10.0.1.0/24", "RemoteCidrBlock": ["192.168.7.0/24"]}],
        Tags=[{"Key": "a", "Value": "b"}],
    )
    yield
    world.clean()


# Members of things that are not offered, so that no answer has them.
UNSEEN = {
    "DescribeVpcs.VpcSet.StackType", "DescribeSubnets.SubnetSet.StackType", "DescribeVpcs.VpcSet.Ipv6CidrBlockSet",
    # Secondary ranges, and what CCN would learn.
    "DescribeVpcs.VpcSet.AssistantCidrSet", "DescribeRouteTables.RouteTableSet.LocalCidrForCcn",
}


@pytest.mark.parametrize("service, action, params", READS, ids=[f"{s}-{a}" for s, a, _ in READS])
def test_every_member_of_the_catalogue_is_shown(server, populated, service, action, params):
    version = shape.tencent_catalog()[service]["version"]
    response = tc3_send(server, action, params, service=service, version=version).json()["Response"]
    unseen = shape.tencent_unseen(service, action, [response])
    assert not [member for member in unseen if not any(member.startswith(known) for known in UNSEEN)]
    stale = [known for known in UNSEEN if known.startswith(f"{action}.") and not any(it.startswith(known) for it in unseen)]
    assert not stale, "they are shown, and need no exception"


@pytest.mark.parametrize("service, action, params", READS, ids=[f"{s}-{a}" for s, a, _ in READS])
def test_answers_have_the_catalogues_form(server, populated, service, action, params):
    version = shape.tencent_catalog()[service]["version"]
    reply = tc3_send(server, action, params, service=service, version=version)
    response = reply.json()["Response"]
    assert "Error" not in response, response
    assert shape.tencent(service, action, response) == []


@pytest.mark.parametrize(
    "action, name",
    [
        ("DescribeVpnGateways", "VpnGatewaySet"),
        ("DescribeVpnConnections", "VpnConnectionSet"),
        ("DescribeCustomerGateways", "CustomerGatewaySet"),
        ("DescribeVpcs", "VpcSet"),
        ("DescribeSubnets", "SubnetSet"),
        ("DescribeRouteTables", "RouteTableSet"),
    ],
)
def test_an_empty_list_is_a_list(server, action, name):
    response = tc3_send(server, action, {}, region="ap-nanjing").json()["Response"]
    assert (response[name], response["TotalCount"]) == ([], 0)
