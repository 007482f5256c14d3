"""Documented refusals that need a history: what exists already decides."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.errors import ApiError, Refused

SUBNETS = {"LocalSubnet": "10.0.0.0/8", "RemoteSubnet": "192.168.10.0/24"}
ANY = {"LocalSubnet": "0.0.0.0/0", "RemoteSubnet": "0.0.0.0/0"}
# The memory engine is done in milliseconds: seeing it at work takes a few attempts.
ROUNDS = 30
BGP = '{"EnableBgp": true, "LocalAsn": 45104, "TunnelCidr": "169.254.30.0/30", "LocalBgpIp": "169.254.30.1"}'


@pytest.fixture
def single(ali_world):
    """An active single-tunnel gateway."""
    return ali_world.gateway(*ali_world.site())


def fill(world, vpc: str, vswitch: str) -> None:
    """Takes every free address of a vSwitch."""
    for _ in range(world.api("DescribeVSwitchAttributes", VSwitchId=vswitch)["AvailableIpAddressCount"]):
        world.gateway(vpc, vswitch, wait=False)


@pytest.mark.parametrize("action", ["CreateVpnGateway", "CreateEnhancedVpnGateway"])
@pytest.mark.parametrize(
    "full, code",
    [(0, "InvalidVSwitchId.FirstVswitchIpNotEnough"), (1, "InvalidVSwitchId.SecondVswitchIpNotEnough")],
)
def test_a_full_vswitch_of_a_dual_gateway(ali_world, alibaba, action, full, code):
    vpc, zones = ali_world.vpc(), ali_world.zones()
    pair = [ali_world.vswitch(vpc, f"10.{number}.0.0/29", zones[number]) for number in (0, 1)]
    fill(ali_world, vpc, pair[full])
    params = {"VpcId": vpc, "VSwitchId": pair[0], "DisasterRecoveryVSwitchId": pair[1]}
    if action == "CreateVpnGateway":
        params.update(Bandwidth=10, InstanceChargeType="POSTPAY")
    else:
        params["GatewayType"] = "Enhanced.SiteToSite"
    with Refused(code, status=400):
        alibaba(action, **params)


def test_a_device_can_not_be_the_gateway_itself(ali_world, alibaba, single):
    public = alibaba("DescribeVpnGateway", VpnGatewayId=single)["InternetIp"]
    customer = ali_world.customer_gateway(public)
    with Refused("CustomerGateway.ConflictVpnIp", status=400):
        alibaba("CreateVpnConnection", VpnGatewayId=single, CustomerGatewayId=customer, **SUBNETS)


def test_a_device_is_not_reached_through_itself(ali_world, alibaba, single):
    customer = ali_world.customer_gateway("52.29.0.1")
    with Refused("CustomerGateway.ConflictRouteEntry", status=400):
        alibaba(
            "CreateVpnConnection", VpnGatewayId=single, CustomerGatewayId=customer, LocalSubnet="10.0.0.0/8",
            RemoteSubnet="52.29.0.0/24",
        )


def test_the_national_standard_needs_certificates(ali_world, alibaba):
    gateway = ali_world.gateway(*ali_world.site(), VpnType="NationalStandard")
    params = {"VpnGatewayId": gateway, "CustomerGatewayId": ali_world.customer_gateway(), **SUBNETS}
    with Refused("MissingParam.RemoteId", status=400):
        alibaba("CreateVpnConnection", **params)
    with Refused("OperationFailed.MissCertificate", status=400):
        alibaba("CreateVpnConnection", IkeConfig='{"RemoteId": "branch"}', **params)


def test_a_dry_run_looks_at_what_it_names(ali_world, alibaba, single):
    customer = ali_world.customer_gateway()
    sound = {"VpnGatewayId": single, "CustomerGatewayId": customer, "DryRun": True, **SUBNETS}
    with Refused("InvalidVpnGatewayInstanceId.NotFound", status=404):
        alibaba("CreateVpnConnection", **{**sound, "VpnGatewayId": "vpn-bp1doesnotexist00000"})
    with Refused("InvalidCustomerGatewayInstanceId.NotFound", status=404):
        alibaba("CreateVpnConnection", **{**sound, "CustomerGatewayId": "cgw-bp1doesnotexist00000"})
    vpc = alibaba("DescribeVpnGateway", VpnGatewayId=single)["VpcId"]
    with Refused("DependencyViolation.VSwitch", status=400):
        alibaba("DeleteVpc", VpcId=vpc, DryRun=True)
    with Refused("DryRunOperation", status=400):
        alibaba("DescribeVpcs", DryRun=True)


def test_a_gateway_without_ipsec(ali_world, alibaba):
    gateway = ali_world.gateway(*ali_world.site(), EnableIpsec=False, EnableSsl=True)
    customer = ali_world.customer_gateway()
    with Refused("VpnGateway.IpsecVpnDisabled", status=400):
        alibaba("CreateVpnConnection", VpnGatewayId=gateway, CustomerGatewayId=customer, **SUBNETS)


def test_two_connections_to_one_device_share_their_ike_settings(ali_world, alibaba, single):
    customer = ali_world.customer_gateway()
    ali_world.connection(single, customer, IkeConfig={"Psk": "one"})
    with Refused("VpnConnectionParamInvalid.SameVpnAndCgwDifferentIkeConfigs", status=400):
        alibaba(
            "CreateVpnConnection", VpnGatewayId=single, CustomerGatewayId=customer, LocalSubnet="10.0.0.0/8",
            RemoteSubnet="192.168.77.0/24", IkeConfig='{"Psk": "two"}',
        )


def test_two_connections_to_one_device_do_not_overlap(ali_world, alibaba, single):
    customer = ali_world.customer_gateway()
    ali_world.connection(single, customer, IkeConfig={"Psk": "one"})
    with Refused("VpnConnectionParamInvalid.SameVpnAndCgwTrafficSelectorOverlap", status=400):
        alibaba(
            "CreateVpnConnection", VpnGatewayId=single, CustomerGatewayId=customer, LocalSubnet="10.0.0.0/8",
            RemoteSubnet="192.168.0.0/16", IkeConfig='{"Psk": "one"}',
        )


def test_a_gateway_with_bgp_takes_no_connection_without(ali_world, alibaba, single):
    ali_world.connection(single, ali_world.customer_gateway(Asn="65530"), BgpConfig=BGP, **ANY)
    other = ali_world.customer_gateway(Asn="65531")
    with Refused("IllegalParam.EnableBgp", status=400):
        alibaba("CreateVpnConnection", VpnGatewayId=single, CustomerGatewayId=other, **SUBNETS)


def test_a_link_range_is_used_once_a_gateway(ali_world, alibaba, single):
    ali_world.connection(single, ali_world.customer_gateway(Asn="65530"), BgpConfig=BGP, **ANY)
    other = ali_world.customer_gateway(Asn="65531")
    with Refused("IllegalParam.TunnelCidr", status=400):
        alibaba("CreateVpnConnection", VpnGatewayId=single, CustomerGatewayId=other, BgpConfig=BGP, **ANY)


def test_propagation_stays_while_there_is_bgp(ali_world, alibaba, single):
    alibaba("ModifyVpnGatewayAttribute", VpnGatewayId=single, AutoPropagate=True)
    ali_world.wait_gateway(single)
    connection = ali_world.connection(single, ali_world.customer_gateway(Asn="65530"), BgpConfig=BGP, **ANY)
    seen = alibaba("DescribeVpnGateway", VpnGatewayId=single)
    assert (seen["EnableBgp"], seen["AutoPropagate"]) == (True, True)
    with Refused("OperationFailed.VpnConnectionExist", status=400):
        alibaba("ModifyVpnGatewayAttribute", VpnGatewayId=single, AutoPropagate=False)
    ali_world.delete_connection(connection, single)
    alibaba("ModifyVpnGatewayAttribute", VpnGatewayId=single, AutoPropagate=False)
    assert ali_world.wait_gateway(single)["AutoPropagate"] is False


def test_moving_what_is_not_there(ali_world, alibaba, single):
    group = alibaba("DescribeVpnGateway", VpnGatewayId=single)["ResourceGroupId"]
    with Refused("InvalidResourceId.NotFound", "InvalidInstanceId.NotFound", status=400):
        alibaba(
            "MoveVpnResourceGroup", InstanceId="vpn-bp1doesnotexist00000", NewResourceGroupId=group,
            ResourceType="VpnGateway",
        )


def test_a_gateway_that_is_being_made_is_busy(ali_world, alibaba):
    """Until it is active it takes no connection; whoever asks too early is told to come again."""
    customer = ali_world.customer_gateway()
    vpc, vswitch = ali_world.site()
    answers = set()
    for _ in range(5):
        gateway = ali_world.gateway(vpc, vswitch, wait=False)
        try:
            with Refused("VpnGateway.Configuring", status=400):
                alibaba("CreateVpnConnection", VpnGatewayId=gateway, CustomerGatewayId=customer, DryRun=False, **SUBNETS)
            answers.add("busy")
        except AssertionError as error:
            assert "was accepted" in str(error), error
            answers.add("active already")
            connections = alibaba("DescribeVpnConnections", VpnGatewayId=gateway)["VpnConnections"]["VpnConnection"]
            ali_world.undo.append(lambda made=connections[0]["VpnConnectionId"], on=gateway: ali_world.delete_connection(made, on))
            break
    assert answers


@pytest.mark.parametrize("option", ["IpsecAuthAlg", "IpsecPfs"])
def test_options_that_no_gateway_has(ali_world, alibaba, single, option):
    word = {"IpsecAuthAlg": "sm3", "IpsecPfs": "group24"}[option]
    code = {
        "IpsecAuthAlg": "NotSupportVpnConnectionParameter.IpsecAuthAlg",
        "IpsecPfs": "NotSupportVpnConnectionParameter.IpsecPfs",
    }[option]
    params = {"VpnGatewayId": single, "CustomerGatewayId": ali_world.customer_gateway(), **SUBNETS}
    with Refused(code, status=400):
        alibaba("CreateVpnConnection", IpsecConfig=json.dumps({option: word}), **params)


def together(call, times: int = 4) -> set[str]:
    """Calls at the same moment, and gives the codes of the refusals."""

    def attempt(_: int) -> str:
        try:
            call()
        except ApiError as error:
            return error.code
        return ""

    with ThreadPoolExecutor(times) as pool:
        return set(pool.map(attempt, range(times))) - {""}


def until_seen(code: str, allowed: set[str], round_of_calls) -> None:
    """Repeats what is a matter of milliseconds until a refusal was seen. No other refusal than those is allowed."""
    for _ in range(ROUNDS):
        seen = round_of_calls()
        assert seen <= allowed | {code}, seen
        if code in seen:
            return
    raise AssertionError(f"{code} was not seen in {ROUNDS} rounds")


def test_a_second_deletion_of_a_connection(ali_world, alibaba, single):
    def round_of_calls():
        connection = ali_world.connection(single, ali_world.customer_gateway())
        return together(lambda: alibaba("DeleteVpnConnection", VpnConnectionId=connection))

    until_seen("VpnTask.CONFLICT", {"InvalidVpnConnectionInstanceId.NotFound"}, round_of_calls)


def test_a_second_deletion_of_an_enhanced_gateway(ali_world, alibaba):
    site = ali_world.dual_site()

    def round_of_calls():
        gateway = ali_world.enhanced(*site)
        return together(lambda: alibaba("DeleteEnhancedVpnGateway", VpnGatewayId=gateway))

    until_seen("TaskConflict", {"InvalidVpnGatewayInstanceId.NotFound"}, round_of_calls)


def test_the_key_of_a_device_waits_for_its_gateways(ali_world, alibaba, single):
    customer = ali_world.customer_gateway(Asn="65530")
    ali_world.connection(single, customer, BgpConfig=BGP, **ANY)
    keys = itertools.count(1)

    def round_of_calls():
        ali_world.wait_gateway(single)
        change = {"CustomerGatewayId": customer}
        return together(lambda: alibaba("ModifyCustomerGatewayAttribute", AuthKey=f"key-{next(keys)}", **change))

    until_seen("OperationDenied.VpnConfiguring", set(), round_of_calls)


def test_an_enhanced_gateway_asks_for_both_vswitches(ali_world, alibaba):
    vpc, first, second = ali_world.dual_site()
    for given in ({"VSwitchId": first}, {"DisasterRecoveryVSwitchId": second}):
        with Refused(
            "MissingVSwitchId", "MissingDisasterRecoveryVSwitchId", "MissingParameter",
            "InvalidVSwitchId.NotFound", status=400,
        ):
            alibaba("CreateEnhancedVpnGateway", VpcId=vpc, GatewayType="Enhanced.SiteToSite", **given)


def test_one_zone_lets_both_vswitches_share_it(server):
    """A region that has one zone: two vSwitches in it, or even the same one twice."""
    from harness import alibaba_sdk
    from harness.alibaba_world import World
    from harness.server import NO_RATE_LIMITS, Server

    config = NO_RATE_LIMITS + '[[regions.alibaba]]\nid = "cn-hangzhou"\nzones = ["cn-hangzhou-a"]\n'
    with Server(config=config) as running:
        world = World(alibaba_sdk.NewSdk(running))
        vpc = world.vpc()
        first, second = world.vswitch(vpc, "10.1.0.0/24"), world.vswitch(vpc, "10.2.0.0/24")
        world.enhanced(vpc, first, second)
        world.enhanced(vpc, first, first)
        world.clean()
