"""Sound parameters for every Alibaba action that is carried out, on a server full of what they name."""

import itertools
import json
import uuid

from alibaba_probes import DUAL
from harness import documented
from harness.alibaba_sdk import REGION
from harness.alibaba_world import peer_ip
from harness.sign_alibaba import v1_send
from harness.waiting import until

# Deleting and moving aim at what is not there: the sound request's own refusal is then what every allowed change
# must meet, and nothing has to be made anew.
NOBODY = {
    "VpcId": "vpc-bp1doesnotexist00000", "VSwitchId": "vsw-bp1doesnotexist00000",
    "VpnGatewayId": "vpn-bp1doesnotexist00000", "CustomerGatewayId": "cgw-bp1doesnotexist00000",
    "VpnConnectionId": "vco-bp1doesnotexist00000",
}
VERSIONS = {"Sts": "2015-04-01", "Location": "2015-06-12", "ResourceManager": "2020-03-31"}


class Ground:
    """One of everything, made by signed requests."""

    def __init__(self, server):
        self.server = server
        self.numbers = itertools.count(1)
        zones = self.do("DescribeZones")["Zones"]["Zone"]
        self.zone, self.other_zone = zones[0]["ZoneId"], zones[1]["ZoneId"]
        made = self.do("CreateVpc", CidrBlock="10.0.0.0/8")
        self.vpc, self.table = made["VpcId"], made["RouteTableId"]
        self.vswitch = self.do("CreateVSwitch", VpcId=self.vpc, CidrBlock="10.1.0.0/16", ZoneId=self.zone)["VSwitchId"]
        second = {"VpcId": self.vpc, "CidrBlock": "10.2.0.0/16", "ZoneId": self.other_zone}
        self.second = self.do("CreateVSwitch", **second)["VSwitchId"]
        self.gateway = self.do(
            "CreateVpnGateway", VpcId=self.vpc, VSwitchId=self.vswitch, Bandwidth=10, InstanceChargeType="POSTPAY"
        )["VpnGatewayId"]
        self.wait(self.gateway)
        self.enhanced = self.do(
            "CreateEnhancedVpnGateway", VpcId=self.vpc, VSwitchId=self.vswitch, DisasterRecoveryVSwitchId=self.second,
            GatewayType="Enhanced.SiteToSite",
        )["VpnGatewayId"]
        self.wait(self.enhanced)
        self.customer = self.do("CreateCustomerGateway", IpAddress=peer_ip(), Asn="65530")["CustomerGatewayId"]
        # Without a connection: a second one to the same device would have to have the same IKE settings.
        self.idle_customer = self.do("CreateCustomerGateway", IpAddress=peer_ip(), Asn="65531")["CustomerGatewayId"]
        self.second_customer = self.do("CreateCustomerGateway", IpAddress=peer_ip(), Asn="65532")["CustomerGatewayId"]
        self.connection = self.do(
            "CreateVpnConnection", VpnGatewayId=self.gateway, CustomerGatewayId=self.customer,
            LocalSubnet="10.0.0.0/8", RemoteSubnet="192.168.1.0/24",
        )["VpnConnectionId"]
        self.wait(self.gateway)
        self.group = self.do("DescribeVpnGateway", VpnGatewayId=self.gateway)["ResourceGroupId"]

    def do(self, action: str, **params) -> dict:
        """Sends a request that must succeed."""
        reply = v1_send(self.server, action, {"RegionId": REGION, **params})
        assert reply.status == 200, (action, reply.body)
        return reply.json()

    def wait(self, gateway: str) -> None:
        """Waits until a gateway is active."""
        until(lambda: self.do("DescribeVpnGateway", VpnGatewayId=gateway)["Status"] == "active", what=gateway)

    def code(self, action: str, params: dict) -> str | None:
        """The code of the refusal; None for success."""
        action = action.split("#")[0]
        reply = v1_send(self.server, action, params)
        try:
            body = reply.json()
        except json.JSONDecodeError:
            return f"no JSON (HTTP {reply.status})"
        if reply.status == 200:
            return None
        code = body.get("Code") or "no code"
        if reply.status not in range(400, 500):
            return f"{code} with HTTP {reply.status}"
        return documented.differs(action, code, reply.status, body.get("Message") or "") or code

    def ready(self, action: str) -> None:
        """Waits where a change under way would answer for the action."""
        if action in ("ModifyVpnGatewayAttribute", "CreateVpnConnection"):
            self.wait(self.gateway)
        if action in ("UpdateEnhancedVpnGateway", DUAL):
            self.wait(self.enhanced)

    def sound(self, action: str) -> dict | None:
        """Parameters that work; None where there are none."""
        number = next(self.numbers)
        known = {
            "CreateVpnGateway": {"VpcId": self.vpc, "VSwitchId": self.vswitch, "Bandwidth": 10, "InstanceChargeType": "POSTPAY"},
            "CreateEnhancedVpnGateway": {
                "VpcId": self.vpc, "VSwitchId": self.vswitch, "DisasterRecoveryVSwitchId": self.second,
                "GatewayType": "Enhanced.SiteToSite",
            },
            "UpdateEnhancedVpnGateway": {"VpnGatewayId": self.enhanced, "Name": f"name-{number}"},
            "ModifyVpnGatewayAttribute": {"VpnGatewayId": self.gateway, "Name": f"name-{number}"},
            "DescribeVpnGateway": {"VpnGatewayId": self.gateway},
            "DescribeVpnGatewayAvailableZones": {"Spec": "5M"},
            "CreateCustomerGateway": {"IpAddress": peer_ip()},
            "ModifyCustomerGatewayAttribute": {"CustomerGatewayId": self.customer, "Name": f"name-{number}"},
            "DescribeCustomerGateway": {"CustomerGatewayId": self.customer},
            "CreateVpnConnection": {
                "VpnGatewayId": self.gateway, "CustomerGatewayId": self.idle_customer, "LocalSubnet": "10.0.0.0/8",
                "RemoteSubnet": "192.168.9.0/24", "DryRun": True,
            },
            DUAL: {
                "VpnGatewayId": self.enhanced, "LocalSubnet": "10.0.0.0/8", "RemoteSubnet": "192.168.9.0/24",
                "DryRun": True,
                "TunnelOptionsSpecification": [
                    {"CustomerGatewayId": self.idle_customer, "Role": "master", "TunnelIkeConfig": {"Psk": "one"}},
                    {"CustomerGatewayId": self.second_customer, "Role": "slave", "TunnelIkeConfig": {"Psk": "two"}},
                ],
            },
            "DescribeVpnConnection": {"VpnConnectionId": self.connection},
            "DownloadVpnConnectionConfig": {"VpnConnectionId": self.connection},
            "CreateVpc": {"CidrBlock": "172.16.0.0/12"},
            "ModifyVpcAttribute": {"VpcId": self.vpc, "VpcName": f"name-{number}"},
            "ModifyVSwitchAttribute": {"VSwitchId": self.vswitch, "VSwitchName": f"name-{number}"},
            "CreateVSwitch": {
                "VpcId": self.vpc, "ZoneId": self.zone, "CidrBlock": f"10.{3 + number // 250 % 200}.{number % 250}.0/24",
            },
            "DescribeVpcAttribute": {"VpcId": self.vpc},
            "DescribeVSwitchAttributes": {"VSwitchId": self.vswitch},
            "DescribeRouteEntryList": {"RouteTableId": self.table},
            "CreateRouteEntry": {
                "RouteTableId": self.table, "DestinationCidrBlock": f"192.{number // 250 % 250}.{number % 250}.0/24",
                "NextHopType": "VpnGateway", "NextHopId": self.gateway,
            },
            "DeleteRouteEntry": {
                "RouteTableId": self.table, "DestinationCidrBlock": "203.0.113.0/24", "NextHopId": self.gateway,
            },
            "UnTagResources": {"ResourceType": "VPNGATEWAY", "ResourceId": [self.gateway], "TagKey": ["a"]},
            "ListTagResources": {"ResourceType": "VPNGATEWAY", "ResourceId": [self.gateway]},
            "MoveVpnResourceGroup": {
                "InstanceId": self.gateway, "ResourceType": "VpnGateway", "NewResourceGroupId": self.group,
            },
        }
        if action == "TagResources":
            fresh = self.do("CreateCustomerGateway", IpAddress=peer_ip())["CustomerGatewayId"]
            tags = [{"Key": "a", "Value": "b"}]
            known[action] = {"ResourceType": "CUSTOMERGATEWAY", "ResourceId": [fresh], "Tag": tags}
        if action.startswith("Delete") and action not in known:
            name = {"DeleteVpc": "VpcId", "DeleteVSwitch": "VSwitchId", "DeleteVpnConnection": "VpnConnectionId",
                    "DeleteCustomerGateway": "CustomerGatewayId"}.get(action, "VpnGatewayId")
            known[action] = {name: NOBODY[name]}
        if action.startswith(("Describe", "List")):
            known.setdefault(action, {})
        params = known.get(action)
        return None if params is None else {"RegionId": REGION, "ClientToken": uuid.uuid4().hex, **params}
