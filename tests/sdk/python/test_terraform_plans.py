"""What Terraform's providers read after an apply is what was applied: else every plan wants to change something, or to
make it anew.

The attributes of a resource are made of answers as the providers' own Read functions make them (aliyun/alicloud and
tencentcloudstack/tencentcloud, read 2026-11-21), and compared with the configuration. Attributes that a provider computes
where the configuration has none are compared only where it has one.
"""

import os

import pytest

from harness.alibaba_world import World as AlibabaWorld
from harness.alibaba_world import peer_ip
from harness.errors import Refused

PAYMENT_TYPES = {"Prepay": "Subscription", "PostpayByFlow": "PayAsYouGo"}
CHARGE_TYPES = {"PayAsYouGo": "POSTPAY", "Subscription": "PREPAY"}
# The gateways of the linux engine have neither BGP nor SSL servers.
needs_all = pytest.mark.skipif(os.environ.get("CAUSEWAY_TEST_ENGINE") == "linux", reason="not offered by this engine")


def differs(config: dict, state: dict) -> dict:
    """The attributes that a plan would change."""
    return {name: (value, state.get(name)) for name, value in config.items() if state.get(name) != value}


def alicloud_gateway(seen: dict) -> dict:
    """alicloud_vpn_gateway."""
    return {
        "vpc_id": seen["VpcId"], "vswitch_id": seen["VSwitchId"], "vpn_gateway_name": seen["Name"],
        "disaster_recovery_vswitch_id": seen["DisasterRecoveryVSwitchId"], "network_type": seen["NetworkType"],
        "payment_type": PAYMENT_TYPES.get(seen["ChargeType"], seen["ChargeType"]), "vpn_type": seen["VpnType"],
        "bandwidth": int(seen["Spec"].split("M")[0]), "enable_ipsec": seen["IpsecVpn"] == "enable",
        "enable_ssl": seen["SslVpn"] == "enable", "ssl_connections": seen["SslMaxConnections"],
        "auto_propagate": seen["AutoPropagate"], "description": seen["Description"],
        "tags": {tag["Key"]: tag["Value"] for tag in seen["Tags"]["Tag"]},
    }


@needs_all
@pytest.mark.parametrize("payment_type", ["PayAsYouGo", "Subscription"])
@pytest.mark.parametrize("dual", [False, True])
def test_alicloud_gateways(alibaba_clients, alibaba, payment_type, dual):
    # Prepaid gateways stay, and their VPC with them: not in a world that is cleaned.
    vpc, first, second = AlibabaWorld(alibaba_clients["acs3"]).dual_site()
    config = {
        "vpc_id": vpc, "vswitch_id": first, "vpn_gateway_name": "tf-gw", "network_type": "public", "vpn_type": "Normal",
        "payment_type": payment_type, "bandwidth": 10, "enable_ipsec": True, "enable_ssl": True, "ssl_connections": 5,
        "tags": {}, "description": "", "auto_propagate": False,
        "disaster_recovery_vswitch_id": second if dual else "",
    }
    more = {"DisasterRecoveryVSwitchId": second} if dual else {}
    made = alibaba(
        "CreateVpnGateway", VpcId=vpc, VSwitchId=first, Name="tf-gw", NetworkType="public", VpnType="Normal", Bandwidth=10,
        InstanceChargeType=CHARGE_TYPES[payment_type], Period=1, AutoPay=True, EnableIpsec=True, EnableSsl=True,
        SslConnections=5, **more,
    )
    seen = alibaba("DescribeVpnGateway", VpnGatewayId=made["VpnGatewayId"])
    assert differs(config, alicloud_gateway(seen)) == {}
    listed = alibaba("DescribeVpnGateways", VpnGatewayId=made["VpnGatewayId"])["VpnGateways"]["VpnGateway"][0]
    assert differs(config, alicloud_gateway(listed)) == {}


def test_a_description_can_be_taken_away(ali_world, alibaba):
    gateway = ali_world.gateway(*ali_world.site())
    for description in ("some", ""):
        alibaba("ModifyVpnGatewayAttribute", VpnGatewayId=gateway, Description=description)
        assert alibaba("DescribeVpnGateway", VpnGatewayId=gateway)["Description"] == description
    customer = ali_world.customer_gateway(Description="some")
    alibaba("ModifyCustomerGatewayAttribute", CustomerGatewayId=customer, Description="")
    assert alibaba("DescribeCustomerGateway", CustomerGatewayId=customer)["Description"] == ""


def alicloud_connection(seen: dict) -> dict:
    """alicloud_vpn_connection."""
    bgp, check = seen["VpnBgpConfig"], seen["VcoHealthCheck"]
    return {
        # Optional and not computed: an answer where there is no configuration makes the connection anew.
        "customer_gateway_id": seen["CustomerGatewayId"],
        "vpn_gateway_id": seen["VpnGatewayId"], "vpn_connection_name": seen["Name"],
        "local_subnet": set(seen["LocalSubnet"].split(",")), "remote_subnet": set(seen["RemoteSubnet"].split(",")),
        "effect_immediately": seen["EffectImmediately"], "enable_dpd": seen["EnableDpd"],
        "enable_nat_traversal": seen["EnableNatTraversal"], "enable_tunnels_bgp": seen["EnableTunnelsBgp"],
        "bgp_config": {
            "enable": bgp["EnableBgp"] == "true", "local_asn": bgp.get("LocalAsn"), "tunnel_cidr": bgp.get("TunnelCidr"),
            "local_bgp_ip": bgp.get("LocalBgpIp"),
        },
        "health_check_config": {
            "enable": check["Enable"] == "true", "dip": check["Dip"], "sip": check["Sip"], "interval": check["Interval"],
            "retry": check["Retry"],
        },
        "ike_config": seen["IkeConfig"], "ipsec_config": seen["IpsecConfig"],
        "tags": {tag["Key"]: tag["Value"] for tag in seen["Tags"]["Tag"]},
    }


@needs_all
@pytest.mark.parametrize("on", [True, False])
def test_alicloud_connections_with_one_tunnel(ali_world, alibaba, on):
    gateway, customer = ali_world.gateway(*ali_world.site()), ali_world.customer_gateway(Asn="65530")
    ike = {
        "Psk": "a-key", "IkeVersion": "ikev2", "IkeMode": "main", "IkeEncAlg": "aes256", "IkeAuthAlg": "sha256",
        "IkePfs": "group14", "IkeLifetime": 3600, "LocalId": "near", "RemoteId": "far",
    }
    ipsec = {"IpsecEncAlg": "aes256", "IpsecAuthAlg": "sha256", "IpsecPfs": "group14", "IpsecLifetime": 7200}
    bgp = {"enable": on, "local_asn": 45104, "tunnel_cidr": "169.254.30.0/30", "local_bgp_ip": "169.254.30.1"}
    check = {"enable": on, "dip": "192.168.1.1", "sip": "10.1.0.9", "interval": 10, "retry": 5}
    config = {
        "customer_gateway_id": customer, "vpn_gateway_id": gateway, "vpn_connection_name": "tf",
        "local_subnet": {"10.0.0.0/16", "10.1.0.0/16"}, "remote_subnet": {"192.168.0.0/24"}, "effect_immediately": True,
        "enable_dpd": False, "enable_nat_traversal": False, "bgp_config": bgp, "health_check_config": check,
        "ike_config": ike, "ipsec_config": ipsec, "tags": {"Created": "TF"},
    }
    connection = ali_world.connection(
        gateway, customer, Name="tf", LocalSubnet="10.0.0.0/16,10.1.0.0/16", RemoteSubnet="192.168.0.0/24",
        EffectImmediately=True, EnableDpd=False, EnableNatTraversal=False, IkeConfig=ike, IpsecConfig=ipsec,
        BgpConfig={"EnableBgp": on, "LocalAsn": "45104", "TunnelCidr": bgp["tunnel_cidr"], "LocalBgpIp": bgp["local_bgp_ip"]},
        HealthCheckConfig=check, Tags=[{"Key": "Created", "Value": "TF"}],
    )
    assert differs(config, alicloud_connection(alibaba("DescribeVpnConnection", VpnConnectionId=connection))) == {}


def test_alicloud_connections_take_the_zeros_of_what_was_left_out(ali_world, alibaba):
    gateway, customer = ali_world.gateway(*ali_world.site()), ali_world.customer_gateway()
    check = {"enable": True, "dip": "192.168.1.1", "sip": "10.1.0.9", "interval": 0, "retry": 0}
    connection = ali_world.connection(gateway, customer, HealthCheckConfig=check)
    seen = alibaba("DescribeVpnConnection", VpnConnectionId=connection)["VcoHealthCheck"]
    assert (seen["Enable"], seen["Interval"], seen["Retry"]) == ("true", 3, 3)


def test_alicloud_connections_with_two_tunnels_have_no_customer_gateway_of_their_own(ali_world, alibaba):
    gateway = ali_world.enhanced(*ali_world.dual_site())
    peers = [ali_world.customer_gateway() for _ in range(2)]
    connection = ali_world.connection(
        gateway, None, RemoteSubnet="192.168.40.0/24",
        TunnelOptionsSpecification=[
            {"CustomerGatewayId": peer, "Role": role, "TunnelIkeConfig": {"Psk": "p"}}
            for peer, role in zip(peers, ("master", "slave"))
        ],
    )
    seen = alibaba("DescribeVpnConnection", VpnConnectionId=connection)
    state = alicloud_connection(seen)
    assert (state["customer_gateway_id"], state["ike_config"], state["ipsec_config"]) == ("", {}, {})
    tunnels = seen["TunnelOptionsSpecification"]["TunnelOptions"]
    assert [(it["CustomerGatewayId"], it["Role"]) for it in tunnels] == list(zip(peers, ("master", "slave")))
    # The other form beside the list: what it asks for would be dropped.
    tunnels = [{"CustomerGatewayId": peer, "Role": role} for peer, role in zip(peers, ("master", "slave"))]
    for more, code in (
        ({"IkeConfig": {"Psk": "TOPLEVEL"}}, "IllegalParam.IkeConfig"), ({"EnableDpd": False}, "IllegalParam.EnableDpd"),
        ({"HealthCheckConfig": {"enable": True, "dip": "192.168.1.1", "sip": "10.1.0.9"}}, "IllegalParam.HealthCheckConfig"),
    ):
        with Refused(code):
            ali_world.connection(
                gateway, None, RemoteSubnet="192.168.41.0/24", TunnelOptionsSpecification=tunnels, wait=False, **more
            )
    for peer in peers:
        found = alibaba("DescribeVpnConnections", CustomerGatewayId=peer)["VpnConnections"]["VpnConnection"]
        assert [it["VpnConnectionId"] for it in found] == [connection]


EVERYTHING = [{"LocalCidrBlock": "0.0.0.0/0", "RemoteCidrBlock": ["0.0.0.0/0"]}]
SOME = [{"LocalCidrBlock": "10.0.0.0/16", "RemoteCidrBlock": ["192.168.1.0/24"]}]
LINK = {"TunnelCidr": "169.254.128.0/30", "LocalBgpIp": "169.254.128.1", "RemoteBgpIp": "169.254.128.2"}


@needs_all
@pytest.mark.parametrize(
    "route_type, policies",
    [("STATIC", SOME), ("Policy", SOME), ("Bgp", None), ("Bgp", EVERYTHING), ("StaticRoute", None)],
)
def test_tencent_connections(ten_world, tencent, route_type, policies):
    gateway = ten_world.gateway(ten_world.site(), InternetMaxBandwidthOut=200, BgpAsn=64551, BgpEnable=True)
    customer = ten_world.customer_gateway(BgpAsn=65001)
    public = ten_world.read_gateway(gateway)["PublicIpAddress"]
    ike = {
        "PropoEncryAlgorithm": "AES-CBC-128", "PropoAuthenAlgorithm": "SHA-256", "ExchangeMode": "MAIN",
        "LocalIdentity": "ADDRESS", "RemoteIdentity": "ADDRESS", "LocalAddress": public, "RemoteAddress": "1.2.3.4",
        "DhGroupName": "GROUP14", "IKESaLifetimeSeconds": 86401, "IKEVersion": "IKEV2",
    }
    esp = {
        "EncryptAlgorithm": "AES-CBC-128", "IntegrityAlgorith": "SHA-256", "IPSECSaLifetimeSeconds": 14401,
        "PfsDhGroup": "DH-GROUP14", "IPSECSaLifetimeTraffic": 4096000001,
    }
    params = {
        "VpnConnectionName": "tf", "PreShareKey": "test", "RouteType": route_type, "NegotiationType": "flowTrigger",
        "DpdEnable": 1, "DpdTimeout": "45", "DpdAction": "clear", "EnableHealthCheck": False,
        "IKEOptionsSpecification": ike, "IPSECOptionsSpecification": esp,
    }
    if policies:
        params["SecurityPolicyDatabases"] = policies
    if route_type == "Bgp":
        params["BgpConfig"] = LINK
    seen = ten_world.read_connection(ten_world.connection(gateway, customer, **params))
    plain = {name: value for name, value in params.items() if isinstance(value, (str, int))}
    assert differs(plain, seen) == {}
    assert differs(ike, seen["IKEOptionsSpecification"]) == {}
    assert differs(esp, seen["IPSECOptionsSpecification"]) == {}
    # The provider reads the policies of every type but StaticRoute; none were written where there is no list.
    if route_type != "StaticRoute":
        assert seen["SecurityPolicyDatabaseSet"] == (policies or [])


def test_tencent_gateways(ten_world, tencent):
    gateway = ten_world.gateway(ten_world.site(), VpnGatewayName="tf", InternetMaxBandwidthOut=10, MaxConnection=5)
    seen = ten_world.read_gateway(gateway)
    config = {
        "VpnGatewayName": "tf", "InternetMaxBandwidthOut": 10, "Type": "IPSEC", "InstanceChargeType": "POSTPAID_BY_HOUR",
        "RenewFlag": "NOTIFY_AND_AUTO_RENEW",
    }
    assert differs(config, seen) == {}
    customer = ten_world.customer_gateway(peer_ip(), BgpAsn=65001)
    read = tencent("DescribeCustomerGateways", CustomerGatewayIds=[customer])["CustomerGatewaySet"][0]
    assert read["BgpAsn"] == 65001
