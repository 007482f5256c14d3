"""What a Create sends is what its Describe shows: for each Create of both APIs a request with every parameter that can be
sent, compared value by value with what is read. A parameter of the catalogue that is not compared stands here with a
reason."""

import json
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import alibaba_ground  # noqa: E402
import tencent_ground  # noqa: E402

from harness.alibaba_world import peer_ip  # noqa: E402
from harness.server import Server  # noqa: E402
from harness.shape import alibaba_catalog, tencent_catalog  # noqa: E402

TAGS = [{"Key": "one", "Value": "1"}, {"Key": "two", "Value": ""}]
# Of every action: the transport's, and what concerns the call alone.
COMMON = {"RegionId", "ClientToken", "DryRun", "OwnerId", "OwnerAccount", "ResourceOwnerId", "ResourceOwnerAccount"}
IPV6 = "IPv6 is refused"
POOLS = "pools of addresses are not offered"
# Not compared, with the reason.
NOT_SHOWN = {
    "CreateVpc": {"EnableIpv6": IPV6, "Ipv6CidrBlock": IPV6, "Ipv6CidrMask": IPV6, "Ipv6Isp": IPV6, "Ipv4CidrMask": POOLS,
                  "Ipv4IpamPoolId": POOLS, "Ipv6IpamPoolId": POOLS},
    "CreateVSwitch": {"CidrMask": POOLS, "Ipv6CidrBlock": IPV6, "Ipv6CidrMask": IPV6, "VpcIpv6CidrBlock": IPV6},
    "CreateVpnGateway": {"AutoPay": "it pays", "Period": "the end is compared by test_alibaba_gateway"},
    "CreateCustomerGateway": {"ResourceGroupId": "compared by test_alibaba_tags"},
    "CreateVpnConnection": {
        "AutoConfigRoute": "the routes of the VPC show it", "EnableTunnelsBgp": "of the form with two tunnels",
        "TunnelOptionsSpecification": "compared by the form with two tunnels",
        "RemoteCaCertificate": "of gateways of the national standard",
    },
    "CreateRouteEntry": {"NextHopList": "several next hops are refused"},
    "tencent CreateVpc": {"StackType": IPV6, "Ipv6CidrBlock": IPV6, "AddressType": IPV6, "EnableRouteVpcPublishIpv6": IPV6,
                          "EnableRouteVpcPublish": "no answer shows it"},
    "tencent CreateSubnet": {"StackType": IPV6, "Ipv6CidrBlock": IPV6, "CdcId": "dedicated clusters are refused"},
    "tencent CreateVpnGateway": {
        "InstanceChargePrepaid": "compared by test_tencent_gateway", "CdcId": "dedicated clusters are refused",
        "IsPrivate": "private gateways are refused", "AccessSubnet": "private gateways are refused",
        "BgpEnable": "no answer shows it", "IpStack": IPV6, "SubnetId": "no answer shows it",
    },
    "tencent CreateVpnConnection": {"Route": "deprecated; no answer shows it", "BgpConfig": "compared by test_terraform_plans"},
}


@pytest.fixture(scope="module")
def alibaba():
    """A server with one of everything."""
    with Server() as server:
        yield alibaba_ground.Ground(server)


@pytest.fixture(scope="module")
def tencent():
    """A server with one of everything."""
    with Server() as server:
        yield tencent_ground.Ground(server)


def check(action: str, catalogue: list[dict], sent: dict, seen: dict, names: dict) -> None:
    """Compares what was sent with what is read. `names`: where a parameter is read when not under its own name: another
    name, or a function that takes the value out of what was read."""
    skipped = NOT_SHOWN.get(action, {})
    unknown = {field["name"] for field in catalogue} - COMMON - set(sent) - set(skipped)
    assert not unknown, f"{action}: neither sent nor listed: {unknown}"
    assert not set(sent) & set(skipped), f"{action}: sent and listed"
    for name, value in sent.items():
        read = names.get(name, name)
        shown = read(seen) if callable(read) else seen.get(read)
        assert shown == value, f"{action}: {name} sent {value!r}, shown {shown!r}"


def request_of(action: str) -> list[dict]:
    """The request's fields of an Alibaba action."""
    return alibaba_catalog()[action]["request"]


def tags_of(member: str = "Tags"):
    """Tags as a plain list."""
    return lambda seen: [{"Key": tag["Key"], "Value": tag["Value"]} for tag in seen[member]["Tag"]]


def test_alibaba_networks(alibaba):
    sent = {
        "CidrBlock": "172.16.0.0/12", "Description": "about it", "EnableDnsHostname": True, "ResourceGroupId": alibaba.group,
        "Tag": TAGS, "UserCidr": "30.0.0.0/8", "VpcName": "name-1",
    }
    vpc = alibaba.do("CreateVpc", **sent)["VpcId"]
    seen = alibaba.do("DescribeVpcAttribute", VpcId=vpc)
    check("CreateVpc", request_of("CreateVpc"), sent, seen, {
        "Tag": tags_of(), "UserCidr": lambda it: ",".join(it["UserCidrs"]["UserCidr"]),
        "EnableDnsHostname": lambda it: it["DnsHostnameStatus"] == "ENABLED",
    })
    sent = {
        "CidrBlock": "172.16.1.0/24", "Description": "about it", "Tag": TAGS, "VSwitchName": "name-2", "VpcId": vpc,
        "ZoneId": alibaba.zone,
    }
    vswitch = alibaba.do("CreateVSwitch", **sent)["VSwitchId"]
    seen = alibaba.do("DescribeVSwitchAttributes", VSwitchId=vswitch)
    check("CreateVSwitch", request_of("CreateVSwitch"), sent, seen, {"Tag": tags_of()})


def test_alibaba_gateways(alibaba):
    sent = {
        "Bandwidth": 100, "DisasterRecoveryVSwitchId": alibaba.second, "EnableIpsec": True, "EnableSsl": True,
        "InstanceChargeType": "PREPAY", "Name": "name-3", "NetworkType": "public", "ResourceGroupId": alibaba.group,
        "SslConnections": 20, "VSwitchId": alibaba.vswitch, "VpcId": alibaba.vpc, "VpnType": "Normal",
    }
    made = alibaba.do("CreateVpnGateway", **sent, Period=1, AutoPay=True)["VpnGatewayId"]
    seen = alibaba.do("DescribeVpnGateway", VpnGatewayId=made)
    names = {
        "Bandwidth": lambda it: int(it["Spec"].rstrip("M")), "EnableIpsec": lambda it: it["IpsecVpn"] == "enable",
        "EnableSsl": lambda it: it["SslVpn"] == "enable", "SslConnections": "SslMaxConnections",
        "InstanceChargeType": lambda it: {"Prepay": "PREPAY", "PostpayByFlow": "POSTPAY"}[it["ChargeType"]],
    }
    check("CreateVpnGateway", request_of("CreateVpnGateway"), sent, seen, names)
    sent = {
        "DisasterRecoveryVSwitchId": alibaba.second, "GatewayType": "Enhanced.SiteToSite", "Name": "name-4",
        "NetworkType": "public", "ResourceGroupId": alibaba.group, "VSwitchId": alibaba.vswitch, "VpcId": alibaba.vpc,
        "VpnType": "Normal",
    }
    made = alibaba.do("CreateEnhancedVpnGateway", **sent)["VpnGatewayId"]
    seen = alibaba.do("DescribeVpnGateway", VpnGatewayId=made)
    check("CreateEnhancedVpnGateway", request_of("CreateEnhancedVpnGateway"), sent, seen, {})


IKE = {
    "Psk": "a-key", "IkeVersion": "ikev2", "IkeMode": "aggressive", "IkeEncAlg": "aes256", "IkeAuthAlg": "sha256",
    "IkePfs": "group14", "IkeLifetime": 3600, "LocalId": "near", "RemoteId": "far",
}
ESP = {"IpsecEncAlg": "aes192", "IpsecAuthAlg": "sha384", "IpsecPfs": "group5", "IpsecLifetime": 7200}
CHECK = {"enable": True, "sip": "10.1.0.9", "dip": "192.168.20.1", "interval": 7, "retry": 9}


def test_alibaba_connections_with_one_tunnel(alibaba):
    sent = {"Asn": "65010", "AuthKey": "bgp-key", "Description": "about it", "IpAddress": peer_ip(), "Name": "name-5",
            "Tags": TAGS}
    customer = alibaba.do("CreateCustomerGateway", **sent)["CustomerGatewayId"]
    seen = alibaba.do("DescribeCustomerGateway", CustomerGatewayId=customer)
    names = {"Tags": tags_of(), "Asn": lambda it: str(it["Asn"])}
    check("CreateCustomerGateway", request_of("CreateCustomerGateway"), sent, seen, names)
    bgp = {"EnableBgp": "false", "LocalAsn": 45104, "TunnelCidr": "169.254.40.0/30", "LocalBgpIp": "169.254.40.1"}
    sent = {
        "BgpConfig": bgp, "CustomerGatewayId": customer, "EffectImmediately": True, "EnableDpd": False,
        "EnableNatTraversal": False, "HealthCheckConfig": CHECK, "IkeConfig": IKE, "IpsecConfig": ESP,
        "LocalSubnet": "10.0.0.0/9,10.128.0.0/9", "Name": "name-6", "RemoteSubnet": "192.168.20.0/24", "Tags": TAGS,
        "VpnGatewayId": alibaba.gateway,
    }
    alibaba.wait(alibaba.gateway)
    packed = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in sent.items()}
    made = alibaba.do("CreateVpnConnection", **packed)["VpnConnectionId"]
    seen = alibaba.do("DescribeVpnConnection", VpnConnectionId=made)
    health = {"enable": "Enable", "sip": "Sip", "dip": "Dip", "interval": "Interval", "retry": "Retry"}

    def shown_check(it: dict) -> dict:
        read = {name: it["VcoHealthCheck"][word] for name, word in health.items()}
        return {**read, "enable": read["enable"] == "true"}

    names = {
        "Tags": tags_of(), "HealthCheckConfig": shown_check,
        "BgpConfig": lambda it: {name: it["VpnBgpConfig"].get(name) for name in bgp},
        "IkeConfig": lambda it: {name: it["IkeConfig"].get(name) for name in IKE},
        "IpsecConfig": lambda it: {name: it["IpsecConfig"].get(name) for name in ESP},
    }
    check("CreateVpnConnection", request_of("CreateVpnConnection"), sent, seen, names)


def test_alibaba_connections_with_two_tunnels(alibaba):
    peers = [alibaba.do("CreateCustomerGateway", IpAddress=peer_ip(), Asn=f"6502{n}")["CustomerGatewayId"] for n in (0, 1)]
    sent = [
        {
            "CustomerGatewayId": peer, "Role": role, "EnableDpd": number == 0, "EnableNatTraversal": number == 1,
            "TunnelIkeConfig": {**IKE, "Psk": f"key-{number}", "IkeLifetime": 3600 + number},
            "TunnelIpsecConfig": {**ESP, "IpsecLifetime": 7200 + number},
            "TunnelBgpConfig": {"LocalAsn": 45104, "TunnelCidr": f"169.254.5{number}.0/30", "LocalBgpIp": f"169.254.5{number}.1"},
        }
        for number, (peer, role) in enumerate(zip(peers, ("master", "slave")))
    ]
    alibaba.wait(alibaba.enhanced)
    made = alibaba.do(
        "CreateVpnConnection", VpnGatewayId=alibaba.enhanced, LocalSubnet="10.0.0.0/8", RemoteSubnet="192.168.21.0/24",
        EnableTunnelsBgp=True, TunnelOptionsSpecification=sent,
    )["VpnConnectionId"]
    seen = alibaba.do("DescribeVpnConnection", VpnConnectionId=made)
    assert seen["EnableTunnelsBgp"] is True
    fields = next(it for it in request_of("CreateVpnConnection") if it["name"] == "TunnelOptionsSpecification")
    known = {field["name"] for field in fields["items"]["fields"]} - {"RemoteCaCertificate"}
    for wanted, tunnel in zip(sent, seen["TunnelOptionsSpecification"]["TunnelOptions"], strict=True):
        assert set(wanted) == known, "every member is sent"
        for name, value in wanted.items():
            shown = tunnel[name]
            if isinstance(value, dict):
                # Numbers of the list form are read as texts.
                value = {inner: str(each) for inner, each in value.items()}
                shown = {inner: str(shown.get(inner)) for inner in value}
            if isinstance(value, bool):
                value = str(value).lower()
            assert shown == value, name


def test_alibaba_routes(alibaba):
    sent = {
        "Description": "about it", "DestinationCidrBlock": "192.168.200.0/24", "NextHopId": alibaba.gateway,
        "NextHopType": "VpnGateway", "RouteEntryName": "name-7", "RouteTableId": alibaba.table,
    }
    made = alibaba.do("CreateRouteEntry", **sent)["RouteEntryId"]
    page = alibaba.do("DescribeRouteEntryList", RouteTableId=alibaba.table, RouteEntryId=made)
    [seen] = page["RouteEntrys"]["RouteEntry"]
    hop = lambda name: lambda it: it["NextHops"]["NextHop"][0][name]  # noqa: E731
    names = {"NextHopId": hop("NextHopId"), "NextHopType": hop("NextHopType")}
    check("CreateRouteEntry", request_of("CreateRouteEntry"), sent, seen, names)


def fields_of(action: str) -> list[dict]:
    """The request's fields of a Tencent action."""
    return tencent_catalog()["vpc"]["actions"][action]["request"]


def test_tencent_networks(tencent):
    sent = {
        "VpcName": "name-1", "CidrBlock": "172.16.0.0/16", "EnableMulticast": "true", "DnsServers": ["8.8.8.8", "1.1.1.1"],
        "DomainName": "a.example", "Tags": TAGS,
    }
    vpc = tencent.do("CreateVpc", **sent)["Vpc"]["VpcId"]
    [seen] = tencent.do("DescribeVpcs", VpcIds=[vpc])["VpcSet"]
    names = {"DnsServers": "DnsServerSet", "Tags": "TagSet", "EnableMulticast": lambda it: str(it["EnableMulticast"]).lower()}
    check("tencent CreateVpc", fields_of("CreateVpc"), sent, seen, names)
    sent = {"VpcId": vpc, "SubnetName": "name-2", "Zone": tencent.zone, "CidrBlock": "172.16.1.0/24", "Tags": TAGS}
    subnet = tencent.do("CreateSubnet", **sent)["Subnet"]["SubnetId"]
    [seen] = tencent.do("DescribeSubnets", SubnetIds=[subnet])["SubnetSet"]
    check("tencent CreateSubnet", fields_of("CreateSubnet"), sent, seen, {"Tags": "TagSet"})


def test_tencent_gateways(tencent):
    sent = {
        "VpcId": tencent.vpc, "VpnGatewayName": "name-3", "InternetMaxBandwidthOut": 200,
        "InstanceChargeType": "POSTPAID_BY_HOUR", "Zone": tencent.zone, "Type": "SSL", "Tags": TAGS, "MaxConnection": 20,
        "BgpAsn": 64777,
    }
    made = tencent.do("CreateVpnGateway", **sent)["VpnGateway"]["VpnGatewayId"]
    [seen] = tencent.do("DescribeVpnGateways", VpnGatewayIds=[made])["VpnGatewaySet"]
    check("tencent CreateVpnGateway", fields_of("CreateVpnGateway"), sent, seen, {"Tags": "TagSet"})


def test_tencent_connections(tencent):
    sent = {"CustomerGatewayName": "name-4", "IpAddress": peer_ip(), "Tags": TAGS, "BgpAsn": 65033}
    customer = tencent.do("CreateCustomerGateway", **sent)["CustomerGateway"]["CustomerGatewayId"]
    [seen] = tencent.do("DescribeCustomerGateways", CustomerGatewayIds=[customer])["CustomerGatewaySet"]
    tags = lambda it: [{"Key": tag["Key"], "Value": tag["Value"]} for tag in it["TagSet"]]  # noqa: E731
    check("tencent CreateCustomerGateway", fields_of("CreateCustomerGateway"), sent, seen, {"Tags": tags})
    ike = {
        "PropoEncryAlgorithm": "AES-CBC-256", "PropoAuthenAlgorithm": "SHA-512", "ExchangeMode": "AGGRESSIVE",
        "LocalIdentity": "FQDN", "RemoteIdentity": "ADDRESS", "LocalFqdnName": "cloud.example", "RemoteAddress": "1.2.3.4",
        "DhGroupName": "GROUP24", "IKESaLifetimeSeconds": 5000, "IKEVersion": "IKEV1",
    }
    esp = {
        "EncryptAlgorithm": "AES-CBC-192", "IntegrityAlgorith": "SHA-512", "IPSECSaLifetimeSeconds": 6000,
        "PfsDhGroup": "DH-GROUP5", "IPSECSaLifetimeTraffic": 3000,
    }
    sent = {
        "VpnGatewayId": tencent.gateway, "CustomerGatewayId": customer, "VpnConnectionName": "name-5", "PreShareKey": "a-key",
        "VpcId": tencent.vpc, "IKEOptionsSpecification": ike, "IPSECOptionsSpecification": esp, "Tags": TAGS,
        "SecurityPolicyDatabases": [{"LocalCidrBlock": "0.0.0.0/0", "RemoteCidrBlock": ["0.0.0.0/0"]}],
        "EnableHealthCheck": True, "HealthCheckLocalIp": "169.254.200.1", "HealthCheckRemoteIp": "169.254.200.2",
        "RouteType": "StaticRoute", "NegotiationType": "passive", "DpdEnable": 1, "DpdTimeout": "44", "DpdAction": "clear",
        "HealthCheckConfig": {"ProbeType": "NQA", "ProbeInterval": 2000, "ProbeThreshold": 4, "ProbeTimeout": 99},
    }
    tencent.ready("CreateVpnConnection")
    made = tencent.do("CreateVpnConnection", **sent)["VpnConnection"]["VpnConnectionId"]
    [seen] = tencent.do("DescribeVpnConnections", VpnConnectionIds=[made])["VpnConnectionSet"]
    part = lambda member, of: lambda it: {name: it[member].get(name) for name in of}  # noqa: E731
    names = {
        "Tags": "TagSet", "SecurityPolicyDatabases": "SecurityPolicyDatabaseSet",
        "IKEOptionsSpecification": part("IKEOptionsSpecification", ike),
        "IPSECOptionsSpecification": part("IPSECOptionsSpecification", esp),
    }
    check("tencent CreateVpnConnection", fields_of("CreateVpnConnection"), sent, seen, names)


def test_tencent_routes(tencent):
    route = {
        "DestinationCidrBlock": "192.168.200.0/24", "GatewayType": "VPN", "GatewayId": tencent.gateway,
        "RouteDescription": "about it", "Enabled": False,
    }
    tencent.do("CreateRoutes", RouteTableId=tencent.table, Routes=[route])
    [table] = tencent.do("DescribeRouteTables", RouteTableIds=[tencent.table])["RouteTableSet"]
    [seen] = [it for it in table["RouteSet"] if it["DestinationCidrBlock"] == route["DestinationCidrBlock"]]
    assert {name: seen[name] for name in route} == route
    # What is deleted is shown as it was.
    removed = tencent.do("DeleteRoutes", RouteTableId=tencent.table, Routes=[{"RouteId": seen["RouteId"]}])
    assert removed["RouteSet"] == [seen]
