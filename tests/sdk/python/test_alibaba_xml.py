"""XML answers hold what the JSON answers hold, by the rules of specs/alibaba/wire.md section 4."""

import pytest

from harness.alibaba_world import World
from harness.sign_alibaba import v1_send

# Differs in every answer.
VOLATILE = {"RequestId"}


def elements(value) -> list[tuple[str, object]]:
    """What the members of an object become: an element each, and one for each item of a bare list."""
    rows = []
    for name, inner in value.items():
        if name in VOLATILE:
            continue
        if isinstance(inner, list):
            rows += [(name, item) for item in inner]
        else:
            rows.append((name, inner))
    return rows


def text_of(value) -> str:
    """A scalar as XML text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def compare(element, value, path: str) -> list[str]:
    """Where the element differs from the JSON value."""
    if not isinstance(value, dict):
        seen = element.text or ""
        return [] if seen == text_of(value) else [f"{path}: {seen!r}, in JSON {value!r}"]
    wanted = elements(value)
    found = [child for child in element if child.tag not in VOLATILE]
    if [child.tag for child in found] != [name for name, _ in wanted]:
        return [f"{path}: members {[child.tag for child in found]}, in JSON {[name for name, _ in wanted]}"]
    differences = []
    for child, (name, inner) in zip(found, wanted):
        differences += compare(child, inner, f"{path}/{name}")
    return differences


@pytest.fixture(scope="module")
def populated(alibaba_clients):
    """A gateway with a connection, a description that XML must escape, and tags."""
    world = World(alibaba_clients["acs3"])
    vpc, vswitch = world.site()
    gateway = world.gateway(vpc, vswitch, Name="gw-1")
    customer = world.customer_gateway(Name="a<b>&\"c'", Description="<![CDATA[ & ]]>", Asn="65530")
    connection = world.connection(gateway, customer, IkeConfig={"Psk": "a<&>\"b"})
    world.api("TagResources", ResourceType="VPNGATEWAY", ResourceId=[gateway], Tag=[{"Key": "a&b", "Value": "<c>"}])
    yield {"VpcId": vpc, "VpnGatewayId": gateway, "CustomerGatewayId": customer, "VpnConnectionId": connection}
    world.clean()


@pytest.mark.parametrize(
    "action, names",
    [
        ("DescribeRegions", []),
        ("DescribeZones", []),
        ("DescribeVpcs", []),
        ("DescribeVpcAttribute", ["VpcId"]),
        ("DescribeVSwitches", []),
        ("DescribeRouteTableList", []),
        ("DescribeVpnGateways", []),
        ("DescribeVpnGateway", ["VpnGatewayId"]),
        ("DescribeCustomerGateways", []),
        ("DescribeCustomerGateway", ["CustomerGatewayId"]),
        ("DescribeVpnConnections", []),
        ("DescribeVpnConnection", ["VpnConnectionId"]),
        ("DownloadVpnConnectionConfig", ["VpnConnectionId"]),
        ("DescribeVpnGatewayAvailableZones", ["Spec"]),
    ],
)
def test_xml_says_what_json_says(server, populated, action, names):
    params = {"RegionId": "cn-hangzhou", **{name: populated.get(name, "5M") for name in names}}
    as_json = v1_send(server, action, params, Format="JSON")
    as_xml = v1_send(server, action, params, Format="XML")
    assert as_xml.headers["content-type"] == "text/xml;charset=utf-8"
    root = as_xml.xml()
    assert root.tag == action + "Response"
    assert root.findtext("RequestId")
    assert compare(root, as_json.json(), action) == []


def test_an_empty_list_in_xml(server):
    root = v1_send(server, "DescribeVpnGateways", {"RegionId": "cn-zhangjiakou"}, Format="XML").xml()
    assert len(root.find("VpnGateways")) == 0 and root.findtext("TotalCount") == "0"
