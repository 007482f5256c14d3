"""The whole life of a gateway through each of Alibaba's official Python clients."""

import ipaddress
import json
import re
import time

import pytest

from harness.alibaba_world import World, gone, peer_ip, unique, when_free
from harness.errors import Refused
from harness.waiting import until

SCHEMES = ["acs3", "v2", "old"]
IKE = {"Psk": "a-Secret!123456", "IkeVersion": "ikev2", "IkeEncAlg": "aes256", "IkeAuthAlg": "sha256", "IkePfs": "group14"}
IPSEC = {"IpsecEncAlg": "aes256", "IpsecAuthAlg": "sha256", "IpsecPfs": "group14", "IpsecLifetime": 3600}


@pytest.fixture
def api(request, alibaba_clients):
    """The client that the test is run with."""
    return alibaba_clients[request.param]


@pytest.mark.parametrize("api", SCHEMES, indirect=True)
def test_life_of_a_single_tunnel_gateway(api):
    world = World(api)
    try:
        live(api, world)
    finally:
        world.clean()


def live(api, world: World) -> None:
    """Makes, reads and deletes everything in the order in which a user does it."""
    vpc, vswitch = world.site()
    gateway = make_gateway(api, world, vpc, vswitch)
    customer, peer = make_customer_gateway(api, world)
    connection = make_connection(api, world, gateway, customer, peer)
    read_lists(api, gateway, customer, connection)
    download(api, gateway, peer, connection)
    tag(api, {"VPNGATEWAY": gateway, "CUSTOMERGATEWAY": customer, "VPNCONNECTION": connection})
    refuse_deleting_in_the_wrong_order(api, vpc, vswitch, gateway, customer)
    delete_in_order(api, world, vpc, vswitch, gateway, customer, connection)


def make_gateway(api, world: World, vpc: str, vswitch: str) -> str:
    name = unique("gw")
    before = int(time.time() * 1000) - 2000
    made = api(
        "CreateVpnGateway", VpcId=vpc, VSwitchId=vswitch, Name=name, Bandwidth=10, InstanceChargeType="POSTPAY",
        EnableIpsec=True, EnableSsl=False, NetworkType="public", VpnType="Normal",
    )
    gateway = made["VpnGatewayId"]
    world.undo.append(lambda: world.delete_gateway(gateway))
    assert re.fullmatch(r"vpn-[0-9a-z]{16,21}", gateway)
    assert made["Name"] == name
    assert isinstance(made["OrderId"], int)
    assert api("DescribeVpnGateway", VpnGatewayId=gateway)["Status"] in ("provisioning", "active")
    seen = world.wait_gateway(gateway)
    wanted = {
        "Name": name, "VpcId": vpc, "VSwitchId": vswitch, "Spec": "10M", "IpsecVpn": "enable", "SslVpn": "disable",
        "BusinessStatus": "Normal", "NetworkType": "public", "VpnType": "Normal", "EnableBgp": False,
        "Status": "active",
    }
    assert {key: seen.get(key) for key in wanted} == wanted
    assert ipaddress.ip_address(seen["InternetIp"]).version == 4
    assert before < seen["CreateTime"] <= time.time() * 1000 + 2000
    assert seen["EndTime"] > seen["CreateTime"]
    return gateway


def make_customer_gateway(api, world: World) -> tuple[str, str]:
    peer, name = peer_ip(), unique("cgw")
    made = api("CreateCustomerGateway", IpAddress=peer, Name=name, Description="branch office", Asn="65530")
    customer = made["CustomerGatewayId"]
    world.undo.append(lambda: api("DeleteCustomerGateway", CustomerGatewayId=customer))
    assert re.fullmatch(r"cgw-[0-9a-z]{16,21}", customer)
    assert (made["IpAddress"], made["Name"], made["Description"]) == (peer, name, "branch office")
    seen = api("DescribeCustomerGateway", CustomerGatewayId=customer)
    assert (seen["IpAddress"], seen["Name"], seen["Asn"]) == (peer, name, 65530)
    assert seen["CreateTime"] == made["CreateTime"]
    return customer, peer


def make_connection(api, world: World, gateway: str, customer: str, peer: str) -> str:
    connection = world.connection(
        gateway, customer, Name="to-branch", LocalSubnet="10.1.0.0/24,10.2.0.0/24",
        RemoteSubnet="192.168.10.0/24", IkeConfig=IKE, IpsecConfig=IPSEC, EffectImmediately=True, AutoConfigRoute=True,
    )
    assert re.fullmatch(r"vco-[0-9a-z]{16,21}", connection)
    seen = api("DescribeVpnConnection", VpnConnectionId=connection)
    public = api("DescribeVpnGateway", VpnGatewayId=gateway)["InternetIp"]
    assert (seen["VpnGatewayId"], seen["CustomerGatewayId"], seen["Name"]) == (gateway, customer, "to-branch")
    assert seen["LocalSubnet"] == "10.1.0.0/24,10.2.0.0/24"
    assert seen["RemoteSubnet"] == "192.168.10.0/24"
    assert seen["State"] == "active"
    # Nobody answers at the far end: the SA can't be there.
    assert seen["Status"] in ("ike_sa_not_established", "ike_sa_established", "ipsec_sa_not_established")
    assert seen["IkeConfig"] == {**seen["IkeConfig"], **IKE}
    assert seen["IkeConfig"]["IkeMode"] == "main"
    assert seen["IkeConfig"]["IkeLifetime"] == 86400
    assert (seen["IkeConfig"]["LocalId"], seen["IkeConfig"]["RemoteId"]) == (public, peer)
    assert seen["IpsecConfig"] == {**seen["IpsecConfig"], **IPSEC}
    assert (seen["EnableDpd"], seen["EnableNatTraversal"]) == (True, True)
    return connection


def read_lists(api, gateway: str, customer: str, connection: str) -> None:
    for filters in ({"VpnGatewayId": gateway}, {"CustomerGatewayId": customer}, {"VpnConnectionId": connection}):
        page = api("DescribeVpnConnections", **filters)
        assert page["TotalCount"] == 1
        assert [item["VpnConnectionId"] for item in page["VpnConnections"]["VpnConnection"]] == [connection]
    gateways = api("DescribeVpnGateways", VpnGatewayId=gateway)["VpnGateways"]["VpnGateway"]
    assert [item["VpnGatewayId"] for item in gateways] == [gateway]
    customers = api("DescribeCustomerGateways", CustomerGatewayId=customer)["CustomerGateways"]["CustomerGateway"]
    assert [item["CustomerGatewayId"] for item in customers] == [customer]


def download(api, gateway: str, peer: str, connection: str) -> None:
    """The far end's configuration: what is local there is the customer's side."""
    config = api("DownloadVpnConnectionConfig", VpnConnectionId=connection)["VpnConnectionConfig"]
    public = api("DescribeVpnGateway", VpnGatewayId=gateway)["InternetIp"]
    assert (config["Local"], config["Remote"]) == (peer, public)
    assert config["LocalSubnet"] == "192.168.10.0/24"
    assert config["RemoteSubnet"] == "10.1.0.0/24,10.2.0.0/24"
    assert (config["IkeConfig"]["LocalId"], config["IkeConfig"]["RemoteId"]) == (peer, public)
    assert config["IkeConfig"]["Psk"] == IKE["Psk"]
    assert config["IpsecConfig"]["IpsecEncAlg"] == "aes256"


def tag(api, resources: dict[str, str]) -> None:
    for kind, resource in resources.items():
        api(
            "TagResources", ResourceType=kind, ResourceId=[resource],
            Tag=[{"Key": "team", "Value": "net"}, {"Key": "stage", "Value": ""}],
        )
        rows = api("ListTagResources", ResourceType=kind, ResourceId=[resource])["TagResources"]["TagResource"]
        assert {row["TagKey"]: row["TagValue"] for row in rows} == {"team": "net", "stage": ""}
        assert {row["ResourceId"] for row in rows} == {resource}
        api("UnTagResources", ResourceType=kind, ResourceId=[resource], TagKey=["stage"])
        rows = api("ListTagResources", ResourceType=kind, ResourceId=[resource])["TagResources"]["TagResource"]
        assert [row["TagKey"] for row in rows] == ["team"]
        api("UnTagResources", ResourceType=kind, ResourceId=[resource], All=True)
        assert api("ListTagResources", ResourceType=kind, ResourceId=[resource])["TagResources"]["TagResource"] == []


def refuse_deleting_in_the_wrong_order(api, vpc: str, vswitch: str, gateway: str, customer: str) -> None:
    with Refused("DependencyViolation.VpnConnection", status=400):
        api("DeleteVpnGateway", VpnGatewayId=gateway)
    with Refused("DependencyViolation.VpnConnection", status=400):
        api("DeleteCustomerGateway", CustomerGatewayId=customer)
    with Refused("DependencyViolation", "DependencyViolation.CloudService", status=400):
        api("DeleteVSwitch", VSwitchId=vswitch)
    with Refused("DependencyViolation.VSwitch", status=400):
        api("DeleteVpc", VpcId=vpc)


def delete_in_order(api, world: World, vpc: str, vswitch: str, gateway: str, customer: str, connection: str) -> None:
    when_free(lambda: api("DeleteVpnConnection", VpnConnectionId=connection))
    until(lambda: gone(lambda: api("DescribeVpnConnection", VpnConnectionId=connection)), what="end of connection")
    with Refused("InvalidVpnConnectionInstanceId.NotFound", status=404):
        api("DescribeVpnConnection", VpnConnectionId=connection)
    assert api("DescribeVpnConnections", VpnGatewayId=gateway)["VpnConnections"]["VpnConnection"] == []
    when_free(lambda: api("DeleteCustomerGateway", CustomerGatewayId=customer))
    with Refused("InvalidCustomerGatewayInstanceId.NotFound", status=404):
        api("DescribeCustomerGateway", CustomerGatewayId=customer)
    world.delete_gateway(gateway)
    with Refused("InvalidVpnGatewayInstanceId.NotFound", status=404):
        api("DescribeVpnGateway", VpnGatewayId=gateway)
    page = api("DescribeVpnGateways", VpnGatewayId=gateway)
    assert (page["TotalCount"], page["VpnGateways"]["VpnGateway"]) == (0, [])
    api("DeleteVSwitch", VSwitchId=vswitch)
    until(lambda: not vswitch_left(api, vswitch), what="end of vSwitch")
    api("DeleteVpc", VpcId=vpc)
    until(lambda: gone(lambda: api("DescribeVpcAttribute", VpcId=vpc)), what="end of VPC")
    with Refused("InvalidVpcId.NotFound", "InvalidVpcID.NotFound", status=404):
        api("DescribeVpcAttribute", VpcId=vpc)


def vswitch_left(api, vswitch: str) -> bool:
    """A vanished vSwitch is answered with 200 and an empty id."""
    return bool(api("DescribeVSwitchAttributes", VSwitchId=vswitch).get("VSwitchId"))


def test_default_crypto_is_echoed_and_psk_is_made_once(ali_world, alibaba):
    vpc, vswitch = ali_world.site()
    gateway = ali_world.gateway(vpc, vswitch)
    customer = ali_world.customer_gateway()
    connection = ali_world.connection(gateway, customer)
    seen = alibaba("DescribeVpnConnection", VpnConnectionId=connection)
    ike, ipsec = seen["IkeConfig"], seen["IpsecConfig"]
    defaults = {"IkeVersion": "ikev1", "IkeMode": "main", "IkeEncAlg": "aes", "IkeAuthAlg": "md5", "IkePfs": "group2"}
    assert {key: ike[key] for key in defaults} == defaults
    assert ike["IkeLifetime"] == 86400
    wanted = {"IpsecEncAlg": "aes", "IpsecAuthAlg": "md5", "IpsecPfs": "group2", "IpsecLifetime": 86400}
    assert {key: ipsec[key] for key in wanted} == wanted
    assert len(ike["Psk"]) == 16
    assert alibaba("DescribeVpnConnection", VpnConnectionId=connection)["IkeConfig"]["Psk"] == ike["Psk"]
    listed = alibaba("DescribeVpnConnections", VpnConnectionId=connection)["VpnConnections"]["VpnConnection"][0]
    assert listed["IkeConfig"]["Psk"] == ike["Psk"]


@pytest.mark.parametrize("spelling", [{"IkeLifetime": "7200"}, {"IkeLifetime": 7200}])
def test_json_strings_take_numbers_and_texts(ali_world, alibaba, spelling):
    vpc, vswitch = ali_world.site()
    gateway = ali_world.gateway(vpc, vswitch)
    customer = ali_world.customer_gateway()
    connection = ali_world.connection(gateway, customer, IkeConfig=json.dumps({**spelling, "Psk": None}))
    assert alibaba("DescribeVpnConnection", VpnConnectionId=connection)["IkeConfig"]["IkeLifetime"] == 7200
