"""The examples of the published documents, sent as they stand there; only ids of things that exist are put in."""

import re

import pytest

from harness.alibaba_world import World, peer_ip
from harness.sign_alibaba import v1_send
from harness.sign_tencent import v1_send as tencent_v1_send

# The newer page's sample request (VPN Gateway: CreateVpnGateway).
NEWER = {
    "RegionId": "cn-hangzhou", "Name": "MYVPN", "InstanceChargeType": "PREPAY", "Period": "1", "AutoPay": "false",
    "Bandwidth": "5", "EnableIpsec": "true", "EnableSsl": "true", "SslConnections": "5", "VpnType": "Normal",
    "ClientToken": "02fb3da4****", "NetworkType": "public",
}
# The older page's: another number of SSL connections, and no vSwitch.
OLDER = {
    "Bandwidth": "5", "RegionId": "cn-hangzhou", "Name": "MYVPN", "InstanceChargeType": "PREPAY", "Period": "1",
    "AutoPay": "false", "EnableIpsec": "true", "EnableSsl": "true", "SslConnections": "2",
}


@pytest.fixture(scope="module")
def site(alibaba_clients):
    """A VPC with vSwitches in two zones; prepaid gateways stay in it, and so does it."""
    return World(alibaba_clients["acs3"]).dual_site()


def test_create_vpn_gateway_of_the_newer_page(server, site):
    vpc, vswitch, _ = site
    reply = v1_send(server, "CreateVpnGateway", {**NEWER, "VpcId": vpc, "VSwitchId": vswitch}, method="GET")
    assert reply.status == 200, reply.body
    body = reply.json()
    assert set(body) == {"VpnGatewayId", "RequestId", "Name", "OrderId"}
    assert body["Name"] == "MYVPN" and isinstance(body["OrderId"], int)
    again = v1_send(server, "CreateVpnGateway", {**NEWER, "VpcId": vpc, "VSwitchId": vswitch}, method="GET").json()
    assert (again["VpnGatewayId"], again["OrderId"]) == (body["VpnGatewayId"], body["OrderId"])


def test_create_vpn_gateway_of_the_older_page(server, site):
    reply = v1_send(server, "CreateVpnGateway", {**OLDER, "VpcId": site[0]}, method="GET")
    assert reply.status == 200, reply.body
    assert {"VpnGatewayId", "RequestId", "Name"} <= set(reply.json())


def test_create_vpn_gateway_in_xml(server, site):
    params = {**OLDER, "VpcId": site[0], "SslConnections": "5"}
    root = v1_send(server, "CreateVpnGateway", params, method="GET", Format="XML").xml()
    assert root.tag == "CreateVpnGatewayResponse"
    assert {child.tag for child in root} == {"VpnGatewayId", "RequestId", "Name", "OrderId"}
    assert re.fullmatch(r"\d+", root.findtext("OrderId"))


def test_create_enhanced_vpn_gateway(server, site):
    vpc, first, second = site
    params = {
        "RegionId": "cn-hangzhou", "Name": "MYVPN", "VpcId": vpc, "VSwitchId": first, "VpnType": "Normal",
        "ClientToken": "02fb3da4****", "NetworkType": "public", "DisasterRecoveryVSwitchId": second,
        "GatewayType": "Enhanced.SiteToSite",
    }
    reply = v1_send(server, "CreateEnhancedVpnGateway", params)
    assert reply.status == 200, reply.body
    assert set(reply.json()) == {"VpnGatewayId", "RequestId", "Name"}


def test_create_customer_gateway(server):
    params = {
        "RegionId": "cn-shanghai", "ClientToken": "02fb3da4-130e-11e9-8e44****", "IpAddress": peer_ip(),
        "Name": "nametest", "Description": "desctest", "Asn": "65530", "AuthKey": "AuthKey****",
        "Tags": [{"Key": "TagKey", "Value": "TagValue"}],
    }
    reply = v1_send(server, "CreateCustomerGateway", params)
    assert reply.status == 200, reply.body
    body = reply.json()
    assert set(body) == {"RequestId", "IpAddress", "Description", "CustomerGatewayId", "CreateTime", "Name"}
    assert (body["Name"], body["Description"], body["IpAddress"]) == ("nametest", "desctest", params["IpAddress"])


def test_tencent_create_vpn_gateway(server, tencent):
    """The sample request is a GET in the older signature; the answer has every field of the sample answer."""
    vpc = tencent("CreateVpc", VpcName="example", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    zone = tencent("DescribeZones", service="cvm")["ZoneSet"][0]["Zone"]
    tencent("CreateSubnet", VpcId=vpc, SubnetName="example", CidrBlock="10.0.1.0/24", Zone=zone)
    params = {
        "VpcId": vpc, "VpnGatewayName": "test", "InstanceChargeType": "POSTPAID_BY_HOUR", "InternetMaxBandwidthOut": 5,
    }
    gateway = tencent_v1_send(server, "CreateVpnGateway", params, method="GET").json()["Response"]["VpnGateway"]
    wanted = {
        "VpnGatewayQuotaSet", "MaxConnection", "VpcId", "RenewFlag", "Zone", "VpnGatewayName", "InstanceChargeType",
        "CdcId", "IsAddressBlocked", "InternetMaxBandwidthOut", "State", "Version", "VpnGatewayId", "PublicIpAddress",
        "CreatedTime", "NewPurchasePlan", "ExpiredTime", "Type", "NetworkInstanceId", "RestrictState",
    }
    assert wanted <= set(gateway), wanted - set(gateway)
    quota = {row["Name"]: row["Bandwidth"] for row in gateway["VpnGatewayQuotaSet"]}
    assert quota["cdmini"] == 5 and quota["cdsuperLarge"] == 100
