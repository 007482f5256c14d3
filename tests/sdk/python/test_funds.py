"""An account that runs out of funds, and one that can't order at all."""

import pytest

from harness import alibaba_sdk, tencent_sdk
from harness.alibaba_world import World as AlibabaWorld
from harness.alibaba_world import peer_ip
from harness.errors import Refused
from harness.server import NO_RATE_LIMITS, Server
from harness.tencent_world import World as TencentWorld

KEY = {"key": "LTAItenant", "secret": "tenant-secret"}
RANGES = {"LocalSubnet": "10.0.0.0/8", "RemoteSubnet": "192.168.10.0/24"}
ANY = {"LocalSubnet": "0.0.0.0/0", "RemoteSubnet": "0.0.0.0/0"}
BGP = {"EnableBgp": True, "TunnelCidr": "169.254.30.0/30", "LocalBgpIp": "169.254.30.1"}


def config(account: str) -> str:
    """A tenant besides the development account."""
    key = '{ id = "LTAItenant", secret = "tenant-secret" }'
    return NO_RATE_LIMITS + f'[[accounts]]\nid = "2000000000000002"\naccess_keys = [{key}]\n{account}\n'


@pytest.fixture(scope="module")
def drained(tmp_path_factory):
    """A server whose tenant had funds, bought, and has none any more; and what the tenant bought."""
    data_dir = str(tmp_path_factory.mktemp("funds"))
    bought = {}
    with Server(config=config(""), data_dir=data_dir) as rich:
        world = AlibabaWorld(alibaba_sdk.NewSdk(rich, **KEY))
        vpc, vswitch = world.site()
        bought["gateway"], bought["customer"] = world.gateway(vpc, vswitch), world.customer_gateway()
        bought["connection"] = world.connection(bought["gateway"], bought["customer"])
        bought["bgp_gateway"], bought["bgp_customer"] = world.gateway(vpc, vswitch), world.customer_gateway(Asn="65530")
        world.connection(bought["bgp_gateway"], bought["bgp_customer"], BgpConfig=BGP, **ANY)
        bought["prepaid"] = world.gateway(vpc, vswitch, InstanceChargeType="PREPAY", Period=1, AutoPay=True)
        tencent = TencentWorld(tencent_sdk.Sdk(rich, **KEY))
        bought["tencent"] = tencent.gateway(tencent.site())
    with Server(config=config("solvent = false"), data_dir=data_dir) as poor:
        yield poor, bought


def test_a_locked_gateway_shows_it(drained):
    server, bought = drained
    api = alibaba_sdk.NewSdk(server, **KEY)
    for name, status in (("gateway", "FinancialLocked"), ("prepaid", "Normal")):
        assert api("DescribeVpnGateway", VpnGatewayId=bought[name])["BusinessStatus"] == status
    locked = api("DescribeVpnGateways", BusinessStatus="FinancialLocked")["VpnGateways"]["VpnGateway"]
    assert {gateway["VpnGatewayId"] for gateway in locked} == {bought["gateway"], bought["bgp_gateway"]}
    seen = TencentWorld(tencent_sdk.Sdk(server, **KEY)).read_gateway(bought["tencent"])
    assert seen["RestrictState"] == "PROTECTIVELY_ISOLATED"


def test_a_locked_gateway_stays_as_it_is(drained):
    server, bought = drained
    api = alibaba_sdk.NewSdk(server, **KEY)
    with Refused("VpnGateway.FinancialLocked", status=400, says="financial locked"):
        api("CreateVpnConnection", VpnGatewayId=bought["gateway"], CustomerGatewayId=bought["customer"], **RANGES)
    with Refused("VpnGateway.FinancialLocked", status=400):
        api("DeleteVpnConnection", VpnConnectionId=bought["connection"])
    with Refused("VpnGateway.FinancialLocked", status=400):
        api("ModifyVpnGatewayAttribute", VpnGatewayId=bought["gateway"], Name="other")
    with Refused("OperationDenied.VpnFinancialLocked", status=400):
        api("ModifyCustomerGatewayAttribute", CustomerGatewayId=bought["bgp_customer"], AuthKey="secret")
    api("ModifyCustomerGatewayAttribute", CustomerGatewayId=bought["bgp_customer"], Name="free-of-charge")
    api("ModifyVpnGatewayAttribute", VpnGatewayId=bought["prepaid"], Name="paid-for")


def test_tencents_locked_gateway_stays_as_it_is(drained):
    server, bought = drained
    world = TencentWorld(tencent_sdk.Sdk(server, **KEY))
    customer = world.customer_gateway(peer_ip())
    with Refused("UnsupportedOperation"):
        world.connection(bought["tencent"], customer)
    with Refused("UnsupportedOperation"):
        world.api("ModifyVpnGatewayAttribute", VpnGatewayId=bought["tencent"], VpnGatewayName="other")
    world.clean()


def test_an_account_without_billing_orders_nothing():
    with Server(config=config("billing = false")) as server:
        world = AlibabaWorld(alibaba_sdk.NewSdk(server, **KEY))
        vpc, first, second = world.dual_site()
        with Refused("OperationFailed.OpenCdtServiceFirst", status=400, says="The operation is failed because of"):
            world.enhanced(vpc, first, second)
        tencent = TencentWorld(tencent_sdk.Sdk(server, **KEY))
        with Refused("UnsupportedOperation.BillingFailed"):
            tencent.gateway(tencent.site())
        assert tencent.api("DescribeVpnGateways")["TotalCount"] == 0
