"""The whole life of a gateway through Tencent's official Python SDK, in each manner that it can speak."""

import ipaddress
import re

import pytest

from harness.errors import Refused
from harness.tencent_world import World, peer_ip, unique
from harness.waiting import until

MANNERS = ["tc3-post", "tc3-get", "tc3-unsigned", "v1-sha1", "v1-sha256", "v1-get", "host-with-scheme"]
IKE = {
    "PropoEncryAlgorithm": "AES-CBC-256", "PropoAuthenAlgorithm": "SHA-256", "ExchangeMode": "MAIN",
    "LocalIdentity": "ADDRESS", "RemoteIdentity": "ADDRESS", "DhGroupName": "GROUP14",
    "IKESaLifetimeSeconds": 28800, "IKEVersion": "IKEV2",
}
IPSEC = {
    "EncryptAlgorithm": "AES-CBC-256", "IntegrityAlgorith": "SHA-256", "IPSECSaLifetimeSeconds": 3600,
    "PfsDhGroup": "DH-GROUP14", "IPSECSaLifetimeTraffic": 1843200,
}


@pytest.fixture
def world(request, tencent_clients):
    """A world made through the client that the test is run with."""
    made = World(tencent_clients[request.param])
    yield made
    made.clean()


@pytest.mark.parametrize("world", MANNERS, indirect=True)
def test_life_of_a_gateway(world):
    api = world.api
    vpc = world.site()
    gateway = make_gateway(api, world, vpc)
    customer, peer = make_customer_gateway(api, world)
    connection = make_connection(api, world, vpc, gateway, customer, peer)
    read_lists(api, vpc, gateway, customer, connection)
    download(api, gateway, peer, connection)
    refuse_deleting_in_the_wrong_order(api, vpc, gateway, customer)
    delete_in_order(api, world, vpc, gateway, customer, connection)


def make_gateway(api, world: World, vpc: str) -> str:
    name = unique("gw")
    made = api(
        "CreateVpnGateway", VpcId=vpc, VpnGatewayName=name, InternetMaxBandwidthOut=5,
        InstanceChargeType="POSTPAID_BY_HOUR", Tags=[{"Key": "city", "Value": "shanghai"}],
    )["VpnGateway"]
    gateway = made["VpnGatewayId"]
    world.undo.append(lambda: world.delete_gateway(gateway))
    assert re.fullmatch(r"vpngw-[0-9a-z]{8}", gateway)
    assert made["State"] in ("PENDING", "AVAILABLE")
    # A client reads right away, and must find exactly this one.
    assert [item["VpnGatewayId"] for item in api("DescribeVpnGateways", VpnGatewayIds=[gateway])["VpnGatewaySet"]] == [gateway]
    seen = world.wait_gateway(gateway)
    wanted = {
        "VpcId": vpc, "VpnGatewayName": name, "Type": "IPSEC", "InstanceChargeType": "POSTPAID_BY_HOUR",
        "InternetMaxBandwidthOut": 5, "RestrictState": "NORMAL", "IsAddressBlocked": False, "NetworkInstanceId": "",
        "ExpiredTime": "0000-00-00 00:00:00", "TagSet": [{"Key": "city", "Value": "shanghai"}],
    }
    assert {key: seen.get(key) for key in wanted} == wanted
    assert ipaddress.ip_address(seen["PublicIpAddress"]).version == 4
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", seen["CreatedTime"])
    assert seen["RenewFlag"] != "" and seen["Zone"]
    return gateway


def make_customer_gateway(api, world: World) -> tuple[str, str]:
    peer, name = peer_ip(), unique("cgw")
    made = api("CreateCustomerGateway", CustomerGatewayName=name, IpAddress=peer)["CustomerGateway"]
    customer = made["CustomerGatewayId"]
    world.undo.append(lambda: api("DeleteCustomerGateway", CustomerGatewayId=customer))
    assert re.fullmatch(r"cgw-[0-9a-z]{8}", customer)
    assert (made["CustomerGatewayName"], made["IpAddress"]) == (name, peer)
    seen = api("DescribeCustomerGateways", CustomerGatewayIds=[customer])
    assert seen["TotalCount"] == 1 and seen["CustomerGatewaySet"][0]["IpAddress"] == peer
    return customer, peer


def make_connection(api, world: World, vpc: str, gateway: str, customer: str, peer: str) -> str:
    connection = world.connection(
        gateway, customer, VpcId=vpc, PreShareKey="test", RouteType="Policy",
        SecurityPolicyDatabases=[{"LocalCidrBlock": "10.0.1.0/24", "RemoteCidrBlock": ["192.168.7.0/24", "192.168.8.0/24"]}],
        IKEOptionsSpecification=IKE, IPSECOptionsSpecification=IPSEC, DpdEnable=1, DpdTimeout="30", DpdAction="restart",
    )
    assert re.fullmatch(r"vpnx-[0-9a-z]{8}", connection)
    seen = world.read_connection(connection)
    wanted = {
        "VpcId": vpc, "VpnGatewayId": gateway, "CustomerGatewayId": customer, "PreShareKey": "test",
        "VpnProto": "IPSEC", "EncryptProto": "IKE", "RouteType": "Policy", "State": "AVAILABLE",
        "NetStatus": "UNAVAILABLE", "DpdEnable": 1, "DpdTimeout": "30", "DpdAction": "restart",
        "EnableHealthCheck": False, "NegotiationType": "active",
    }
    assert {key: seen.get(key) for key in wanted} == wanted
    assert seen["SecurityPolicyDatabaseSet"] == [
        {"LocalCidrBlock": "10.0.1.0/24", "RemoteCidrBlock": ["192.168.7.0/24", "192.168.8.0/24"]}
    ]
    ike, ipsec = seen["IKEOptionsSpecification"], seen["IPSECOptionsSpecification"]
    public = world.read_gateway(gateway)["PublicIpAddress"]
    assert ike == {**ike, **IKE}
    assert (ike["LocalAddress"], ike["RemoteAddress"]) == (public, peer)
    assert (ike["LocalFqdnName"], ike["RemoteFqdnName"]) == ("", "")
    assert ipsec == {**ipsec, **IPSEC}
    return connection


def read_lists(api, vpc: str, gateway: str, customer: str, connection: str) -> None:
    for name, value in (
        ("vpc-id", vpc), ("vpn-gateway-id", gateway), ("customer-gateway-id", customer), ("vpn-connection-id", connection),
    ):
        page = api("DescribeVpnConnections", Filters=[{"Name": name, "Values": [value]}])
        assert page["TotalCount"] == 1, name
        assert [item["VpnConnectionId"] for item in page["VpnConnectionSet"]] == [connection]
    both = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "type", "Values": ["IPSEC"]}]
    assert [item["VpnGatewayId"] for item in api("DescribeVpnGateways", Filters=both)["VpnGatewaySet"]] == [gateway]
    both[1]["Values"] = ["CCN"]
    assert api("DescribeVpnGateways", Filters=both)["VpnGatewaySet"] == []


def download(api, gateway: str, peer: str, connection: str) -> None:
    vendors = api("DescribeCustomerGatewayVendors")["CustomerGatewayVendorSet"]
    assert {"VendorName": "cisco", "Platform": "ios", "SoftwareVersion": "V15.4"} in vendors
    for vendor in vendors:
        text = api(
            "DownloadCustomerGatewayConfiguration", VpnGatewayId=gateway, VpnConnectionId=connection,
            CustomerGatewayVendor=vendor, InterfaceName="eth0",
        )["CustomerGatewayConfiguration"]
        assert "test" in text and peer in text, vendor


def refuse_deleting_in_the_wrong_order(api, vpc: str, gateway: str, customer: str) -> None:
    with Refused("UnsupportedOperation", "ResourceInUse"):
        api("DeleteVpnGateway", VpnGatewayId=gateway)
    with Refused("ResourceInUse"):
        api("DeleteCustomerGateway", CustomerGatewayId=customer)
    with Refused("ResourceInUse"):
        api("DeleteVpc", VpcId=vpc)


def delete_in_order(api, world: World, vpc: str, gateway: str, customer: str, connection: str) -> None:
    world.delete_connection(gateway, connection)
    for name, value in (("vpn-gateway-id", gateway), ("customer-gateway-id", customer)):
        page = api("DescribeVpnConnections", Filters=[{"Name": name, "Values": [value]}], Offset=0)
        assert page["VpnConnectionSet"] == [], "a deleted connection must leave filtered lists"
    api("DeleteCustomerGateway", CustomerGatewayId=customer)
    with Refused("ResourceNotFound", "UnsupportedOperation.RecordNotExists"):
        api("DeleteCustomerGateway", CustomerGatewayId=customer)
    world.delete_gateway(gateway)
    world.clean()
    until(
        lambda: not api("DescribeVpcs", Filters=[{"Name": "vpc-id", "Values": [vpc]}])["VpcSet"], what="end of the VPC"
    )


def test_a_connection_is_a_task_by_its_request_id(ten_world, tencent):
    gateway, customer = ten_world.gateway(ten_world.site()), ten_world.customer_gateway()
    made = tencent(
        "CreateVpnConnection", VpnGatewayId=gateway, CustomerGatewayId=customer, VpnConnectionName="task",
        PreShareKey="test", RouteType="StaticRoute",
    )
    connection = made["VpnConnection"]["VpnConnectionId"]
    ten_world.undo.append(lambda: ten_world.delete_connection(gateway, connection))

    def done():
        seen = tencent("DescribeVpcTaskResult", TaskId=made["RequestId"])
        assert seen["Status"] in ("RUNNING", "SUCCESS")
        return seen["Status"] == "SUCCESS"

    until(done, what="the task's success")
    with Refused("ResourceNotFound"):
        tencent("DescribeVpcTaskResult", TaskId="11111111-2222-3333-4444-555555555555")


def test_who_am_i(tencent):
    seen = tencent("GetCallerIdentity", service="sts")
    assert isinstance(seen["AccountId"], str) and seen["Arn"].startswith("qcs::cam::uin/")
    assert seen["Type"] and seen["UserId"] and seen["PrincipalId"]


def test_regions_and_zones(tencent):
    regions = {row["Region"]: row for row in tencent("DescribeRegions", service="cvm")["RegionSet"]}
    assert {"ap-guangzhou", "ap-shanghai", "ap-beijing", "ap-singapore"} <= set(regions)
    assert regions["ap-guangzhou"]["RegionState"] == "AVAILABLE"
    zones = tencent("DescribeZones", service="cvm")["ZoneSet"]
    assert all(zone["Zone"].startswith("ap-guangzhou-") and isinstance(zone["ZoneId"], str) for zone in zones)
