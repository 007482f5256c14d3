"""Customer gateways and connections: defaults, bounds, and the documented refusals."""

import pytest

from harness.errors import Refused
from harness.tencent_world import peer_ip, unique

SPD = [{"LocalCidrBlock": "10.0.1.0/24", "RemoteCidrBlock": ["192.168.7.0/24"]}]


@pytest.fixture
def pair(ten_world):
    """An AVAILABLE gateway and a customer gateway."""
    return ten_world.gateway(ten_world.site()), ten_world.customer_gateway()


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "255.255.255.255", "224.0.0.5", "127.0.0.1", "169.254.1.1", "1.2.3", "nonsense"]
)
def test_customer_addresses_refused(tencent, address):
    with Refused("InvalidParameterValue", "InvalidParameterValue.Malformed", "InvalidParameterValue.Range"):
        tencent("CreateCustomerGateway", CustomerGatewayName="c", IpAddress=address)


def test_ipv6_customers_are_refused(tencent):
    with Refused("UnsupportedOperation.CustomerGatewayIpv6", "InvalidParameterValue.Malformed", "InvalidParameterValue"):
        tencent("CreateCustomerGateway", CustomerGatewayName="c", IpAddress="2001:db8::1")


def test_an_address_is_registered_once(ten_world, tencent):
    address = peer_ip()
    ten_world.customer_gateway(address)
    with Refused("InvalidParameterValue.Duplicate", "UnsupportedOperation.RecordExists"):
        tencent("CreateCustomerGateway", CustomerGatewayName="c", IpAddress=address)


@pytest.mark.parametrize("asn", [0, 4294967296, 139341, 45090, 58835])
def test_customer_asn_refused(tencent, asn):
    with Refused("InvalidParameterValue", "InvalidParameterValue.Range"):
        tencent("CreateCustomerGateway", CustomerGatewayName="c", IpAddress=peer_ip(), BgpAsn=asn)


def test_customer_asn_and_name(ten_world, tencent):
    customer = ten_world.customer_gateway(BgpAsn=65001)
    seen = tencent("DescribeCustomerGateways", CustomerGatewayIds=[customer])["CustomerGatewaySet"][0]
    assert seen["BgpAsn"] == 65001
    tencent("ModifyCustomerGatewayAttribute", CustomerGatewayId=customer, CustomerGatewayName="renamed")
    seen = tencent("DescribeCustomerGateways", CustomerGatewayIds=[customer])["CustomerGatewaySet"][0]
    assert (seen["CustomerGatewayName"], seen["BgpAsn"]) == ("renamed", 65001)
    with Refused("InvalidParameterValue.TooLong"):
        tencent("ModifyCustomerGatewayAttribute", CustomerGatewayId=customer, CustomerGatewayName="x" * 61)


def test_customer_filters(ten_world, tencent):
    address, name = peer_ip(), unique("cgw")
    customer = ten_world.customer_gateway(address)
    other = tencent("CreateCustomerGateway", CustomerGatewayName=name, IpAddress=peer_ip())["CustomerGateway"]
    ten_world.undo.append(lambda: tencent("DeleteCustomerGateway", CustomerGatewayId=other["CustomerGatewayId"]))
    for filter_name, value, wanted in (
        ("ip-address", address, customer), ("customer-gateway-name", name, other["CustomerGatewayId"]),
        ("customer-gateway-id", customer, customer),
    ):
        found = tencent("DescribeCustomerGateways", Filters=[{"Name": filter_name, "Values": [value]}])
        assert [item["CustomerGatewayId"] for item in found["CustomerGatewaySet"]] == [wanted]


def test_twenty_customer_gateways_a_region():
    from harness import tencent_sdk
    from harness.server import Server
    from harness.tencent_world import World

    with Server() as running:
        world = World(tencent_sdk.Sdk(running))
        for _ in range(20):
            world.customer_gateway()
        with Refused("LimitExceeded", "VpcLimitExceeded"):
            world.customer_gateway()


def test_connection_defaults_are_echoed(ten_world, pair):
    gateway, customer = pair
    seen = ten_world.read_connection(ten_world.connection(gateway, customer))
    ike, ipsec = seen["IKEOptionsSpecification"], seen["IPSECOptionsSpecification"]
    wanted = {
        "PropoEncryAlgorithm": "3DES-CBC", "PropoAuthenAlgorithm": "SHA", "ExchangeMode": "MAIN",
        "LocalIdentity": "ADDRESS", "RemoteIdentity": "ADDRESS", "DhGroupName": "GROUP1",
        "IKESaLifetimeSeconds": 86400, "IKEVersion": "IKEV1",
    }
    assert {key: ike[key] for key in wanted} == wanted
    wanted = {
        "EncryptAlgorithm": "AES-CBC-128", "IntegrityAlgorith": "SHA1", "IPSECSaLifetimeSeconds": 14400,
        "PfsDhGroup": "NULL", "IPSECSaLifetimeTraffic": 4096000000,
    }
    assert {key: ipsec[key] for key in wanted} == wanted
    assert (seen["DpdEnable"], seen["DpdTimeout"], seen["DpdAction"]) == (0, "30", "restart")
    assert (seen["HealthCheckLocalIp"], seen["HealthCheckRemoteIp"]) is not None
    assert isinstance(seen["HealthCheckLocalIp"], str) and isinstance(seen["HealthCheckRemoteIp"], str)


def test_what_terraform_always_sends(ten_world, pair):
    """Its own older and weaker defaults, and empty texts for what is unset."""
    gateway, customer = pair
    connection = ten_world.connection(
        gateway, customer, RouteType="STATIC", SecurityPolicyDatabases=SPD,
        IKEOptionsSpecification={
            "PropoEncryAlgorithm": "3DES-CBC", "PropoAuthenAlgorithm": "MD5", "ExchangeMode": "MAIN",
            "LocalIdentity": "ADDRESS", "RemoteIdentity": "ADDRESS", "DhGroupName": "GROUP1",
            "IKESaLifetimeSeconds": 86400, "IKEVersion": "IKEV1",
        },
        IPSECOptionsSpecification={
            "EncryptAlgorithm": "3DES-CBC", "IntegrityAlgorith": "MD5", "IPSECSaLifetimeSeconds": 3600,
            "PfsDhGroup": "NULL", "IPSECSaLifetimeTraffic": 1843200,
        },
    )
    seen = ten_world.read_connection(connection)
    assert seen["IKEOptionsSpecification"]["PropoAuthenAlgorithm"] == "MD5"
    assert seen["IPSECOptionsSpecification"]["EncryptAlgorithm"] == "3DES-CBC"
    assert seen["RouteType"] == "STATIC"


def test_fqdn_identities(ten_world, pair):
    gateway, customer = pair
    connection = ten_world.connection(
        gateway, customer,
        IKEOptionsSpecification={
            "LocalIdentity": "FQDN", "LocalFqdnName": "cloud.example", "RemoteIdentity": "FQDN",
            "RemoteFqdnName": "branch.example",
        },
    )
    ike = ten_world.read_connection(connection)["IKEOptionsSpecification"]
    assert (ike["LocalFqdnName"], ike["RemoteFqdnName"]) == ("cloud.example", "branch.example")
    assert (ike["LocalAddress"], ike["RemoteAddress"]) == ("", "")


@pytest.mark.parametrize(
    "change, codes",
    [
        ({"VpnGatewayId": "vpngw-00000000"}, ("ResourceNotFound",)),
        ({"CustomerGatewayId": "cgw-00000000"}, ("ResourceNotFound",)),
        ({"VpnConnectionName": None}, ("MissingParameter",)),
        ({"PreShareKey": None}, ("MissingParameter",)),
        ({"VpnConnectionName": "x" * 61}, ("InvalidParameterValue.TooLong",)),
        ({"RouteType": "OSPF"}, ("InvalidParameterValue",)),
        ({"NegotiationType": "shy"}, ("InvalidParameterValue",)),
        ({"DpdEnable": 2}, ("InvalidParameterValue",)),
        ({"DpdAction": "sulk"}, ("InvalidParameterValue",)),
        ({"IKEOptionsSpecification": {"PropoEncryAlgorithm": "ROT13"}}, ("InvalidParameterValue",)),
        ({"IKEOptionsSpecification": {"IKESaLifetimeSeconds": 59}}, ("InvalidParameterValue", "InvalidParameterValue.Range")),
        ({"IKEOptionsSpecification": {"IKESaLifetimeSeconds": 604801}}, ("InvalidParameterValue", "InvalidParameterValue.Range")),
        ({"IPSECOptionsSpecification": {"IPSECSaLifetimeSeconds": 179}}, ("InvalidParameterValue", "InvalidParameterValue.Range")),
        ({"IPSECOptionsSpecification": {"PfsDhGroup": "GROUP14"}}, ("InvalidParameterValue",)),
        ({"BgpConfig": {"TunnelCidr": "169.254.128.0/29", "LocalBgpIp": "169.254.128.1", "RemoteBgpIp": "169.254.128.2"}, "RouteType": "Bgp"},
         ("InvalidParameterValue.VpnConnBgpTunnelCidrMask", "UnsupportedOperation.VpnUnsupportedBgp")),
        ({"RouteType": "Policy", "SecurityPolicyDatabases": [{"LocalCidrBlock": "10.0.1.0/24", "RemoteCidrBlock": ["10.0.1.0/25"]}]},
         ("InvalidParameterValue.VpnConnSpdCidrConflict", "InvalidParameterValue.VpcCidrConflict")),
        ({"RouteType": "Policy", "SecurityPolicyDatabases": [{"LocalCidrBlock": "10.0.1.0/33", "RemoteCidrBlock": ["192.168.7.0/24"]}]},
         ("InvalidParameterValue.Malformed", "InvalidParameterValue")),
    ],
)
def test_documented_refusals(ten_world, tencent, pair, change, codes):
    gateway, customer = pair
    params = {
        "VpnGatewayId": gateway, "CustomerGatewayId": customer, "VpnConnectionName": "x", "PreShareKey": "test",
        "RouteType": "StaticRoute", **change,
    }
    with Refused(*codes):
        tencent("CreateVpnConnection", **{name: value for name, value in params.items() if value is not None})


def test_one_connection_a_pair(ten_world, tencent, pair):
    gateway, customer = pair
    ten_world.connection(gateway, customer)
    with Refused("ResourceInUse", "InvalidParameterValue.Duplicate", "LimitExceeded"):
        tencent(
            "CreateVpnConnection", VpnGatewayId=gateway, CustomerGatewayId=customer, VpnConnectionName="again",
            PreShareKey="test", RouteType="StaticRoute",
        )


def test_customer_gateways_count_their_connections(ten_world, tencent, pair):
    gateway, customer = pair
    ten_world.connection(gateway, customer)
    seen = tencent("DescribeCustomerGateways", CustomerGatewayIds=[customer])["CustomerGatewaySet"][0]
    assert seen["VpnConnNum"] == 1


def test_unknown_connections(ten_world, tencent, pair):
    gateway, _ = pair
    with Refused("ResourceNotFound", "UnsupportedOperation.RecordNotExists"):
        tencent("DeleteVpnConnection", VpnGatewayId=gateway, VpnConnectionId="vpnx-00000000")
    assert ten_world.read_connection("vpnx-00000000") is None


def test_vendor_triples_that_are_not_offered(ten_world, tencent, pair):
    gateway, customer = pair
    connection = ten_world.connection(gateway, customer)
    with Refused("ResourceNotFound", "InvalidParameterValue"):
        tencent(
            "DownloadCustomerGatewayConfiguration", VpnGatewayId=gateway, VpnConnectionId=connection,
            CustomerGatewayVendor={"VendorName": "acme", "Platform": "x", "SoftwareVersion": "1"}, InterfaceName="eth0",
        )
