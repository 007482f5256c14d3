"""Sound parameters for every Tencent action that is carried out, on a server full of what they name."""

import itertools
import json

from harness.alibaba_world import peer_ip
from harness.shape import tencent_catalog
from harness.sign_tencent import tc3_send
from harness.waiting import until

NOBODY = {
    "VpcId": "vpc-00000000", "SubnetId": "subnet-00000000", "VpnGatewayId": "vpngw-00000000",
    "CustomerGatewayId": "cgw-00000000", "VpnConnectionId": "vpnx-00000000",
}


class Ground:
    """One of everything, made by signed requests."""

    def __init__(self, server):
        self.server = server
        self.numbers = itertools.count(1)
        self.zone = self.do("DescribeZones", service="cvm")["ZoneSet"][0]["Zone"]
        self.vpc = self.do("CreateVpc", VpcName="probes", CidrBlock="10.0.0.0/12")["Vpc"]["VpcId"]
        self.subnet = self.do(
            "CreateSubnet", VpcId=self.vpc, SubnetName="probes", CidrBlock="10.1.0.0/16", Zone=self.zone
        )["Subnet"]["SubnetId"]
        mine = [{"Name": "vpc-id", "Values": [self.vpc]}]
        self.table = self.do("DescribeRouteTables", Filters=mine)["RouteTableSet"][0]["RouteTableId"]
        self.gateway = self.do("CreateVpnGateway", VpcId=self.vpc, VpnGatewayName="probes", InternetMaxBandwidthOut=5)[
            "VpnGateway"
        ]["VpnGatewayId"]
        self.wait("DescribeVpnGateways", "VpnGatewaySet", {"VpnGatewayIds": [self.gateway]})
        self.customer = self.new_customer()
        self.connection = self.do("CreateVpnConnection", **self.connection_params(self.customer))["VpnConnection"][
            "VpnConnectionId"
        ]
        self.wait("DescribeVpnConnections", "VpnConnectionSet", {"VpnConnectionIds": [self.connection]})
        self.vendor = self.do("DescribeCustomerGatewayVendors")["CustomerGatewayVendorSet"][0]

    def new_customer(self) -> str:
        """Another customer gateway."""
        made = self.do("CreateCustomerGateway", CustomerGatewayName="probes", IpAddress=peer_ip())
        return made["CustomerGateway"]["CustomerGatewayId"]

    def connection_params(self, customer: str) -> dict:
        """A connection to this customer gateway."""
        return {
            "VpnGatewayId": self.gateway, "CustomerGatewayId": customer, "VpnConnectionName": "probes",
            "PreShareKey": "test", "RouteType": "StaticRoute",
        }

    def send(self, action: str, service: str, params: dict) -> dict:
        """The inside of the answer."""
        reply = tc3_send(self.server, action, params, service=service, version=tencent_catalog()[service]["version"])
        try:
            return reply.json()["Response"]
        except (json.JSONDecodeError, KeyError):
            return {"Error": {"Code": f"no envelope (HTTP {reply.status})", "Message": ""}}

    def do(self, action: str, service: str = "vpc", **params) -> dict:
        """Sends a request that must succeed."""
        response = self.send(action, service, params)
        assert "Error" not in response, (action, response)
        return response

    def wait(self, action: str, name: str, ids: dict) -> None:
        """Waits until what is named is AVAILABLE."""
        until(lambda: self.do(action, **ids)[name][0]["State"] == "AVAILABLE", what=str(ids))

    def code(self, service: str, action: str, params: dict) -> str | None:
        """The code of the refusal; None for success."""
        return self.send(action, service, params).get("Error", {}).get("Code")

    def ready(self, action: str) -> None:
        """Waits where a change under way would answer for the action."""
        if action in ("ModifyVpnGatewayAttribute", "CreateVpnConnection"):
            self.wait("DescribeVpnGateways", "VpnGatewaySet", {"VpnGatewayIds": [self.gateway]})

    def sound(self, service: str, action: str) -> dict | None:
        """Parameters that work; None where there are none."""
        if service != "vpc":
            return self.sound_elsewhere(service, action)
        number = next(self.numbers)
        known = {
            "CreateVpnGateway": {"VpcId": self.vpc, "VpnGatewayName": "probes", "InternetMaxBandwidthOut": 5},
            "ModifyVpnGatewayAttribute": {"VpnGatewayId": self.gateway, "VpnGatewayName": f"name-{number}"},
            "ResetVpnGatewayInternetMaxBandwidth": {"VpnGatewayId": self.gateway, "InternetMaxBandwidthOut": 10},
            "CreateCustomerGateway": {"CustomerGatewayName": "probes", "IpAddress": peer_ip()},
            "ModifyCustomerGatewayAttribute": {"CustomerGatewayId": self.customer, "CustomerGatewayName": f"name-{number}"},
            "DownloadCustomerGatewayConfiguration": {
                "VpnGatewayId": self.gateway, "VpnConnectionId": self.connection, "CustomerGatewayVendor": self.vendor,
                "InterfaceName": "eth0",
            },
            "ModifyVpcAttribute": {"VpcId": self.vpc, "VpcName": f"name-{number}"},
            "ModifySubnetAttribute": {"SubnetId": self.subnet, "SubnetName": f"name-{number}"},
            "CreateVpc": {"VpcName": "probes", "CidrBlock": "10.0.0.0/16"},
            "CreateSubnet": {
                "VpcId": self.vpc, "SubnetName": "probes", "Zone": self.zone,
                "CidrBlock": f"10.{2 + number // 250 % 13}.{number % 250}.0/24",
            },
            "CreateRoutes": {
                "RouteTableId": self.table,
                "Routes": [{
                    "DestinationCidrBlock": f"192.{number // 250 % 250}.{number % 250}.0/24", "GatewayType": "VPN",
                    "GatewayId": self.gateway,
                }],
            },
            "DeleteRoutes": {"RouteTableId": self.table, "Routes": [{"RouteId": 4_000_000_000}]},
            "DeleteVpnConnection": {"VpnGatewayId": self.gateway, "VpnConnectionId": NOBODY["VpnConnectionId"]},
            "DescribeVpcTaskResult": {"TaskId": "11111111-2222-3333-4444-555555555555"},
        }
        if action == "CreateVpnConnection":
            return self.connection_params(self.new_customer())
        if action.startswith("Delete") and action not in known:
            name = {"DeleteVpc": "VpcId", "DeleteSubnet": "SubnetId", "DeleteCustomerGateway": "CustomerGatewayId"}
            known[action] = {name.get(action, "VpnGatewayId"): NOBODY[name.get(action, "VpnGatewayId")]}
        if action.startswith("Describe"):
            known.setdefault(action, {})
        return known.get(action)

    def sound_elsewhere(self, service: str, action: str) -> dict | None:
        """As `sound`, for the products beside vpc."""
        name = f"qcs::vpc:ap-guangzhou:uin/:vpngw/{self.gateway}"
        tags = [{"TagKey": "a", "TagValue": "b"}]
        one = {"TagKey": "a", "TagValue": "b", "Resource": name}
        many = {
            "ServiceType": "vpc", "ResourceIds": [self.gateway], "ResourceRegion": "ap-guangzhou", "ResourcePrefix": "vpngw",
            "TagKey": "a",
        }
        if action in ("DeleteResourceTag", "UpdateResourceTagValue", "DetachResourcesTag", "ModifyResourcesTagValue"):
            self.do("TagResources", service="tag", ResourceList=[name], Tags=tags)
        if action in ("AddResourceTag", "AttachResourcesTag"):
            self.do("UnTagResources", service="tag", ResourceList=[name], TagKeys=["a"])
        number = next(self.numbers)
        new = {"TagKey": "by-itself", "TagValue": f"v{number}"}
        if action in ("DeleteTag", "DeleteTags"):
            self.do("CreateTag", service="tag", **new)
        return {
            ("tag", "CreateTag"): new,
            ("tag", "CreateTags"): {"Tags": [new]},
            ("tag", "DeleteTag"): new,
            ("tag", "DeleteTags"): {"Tags": [new]},
            ("tag", "DescribeResourcesByTags"): {"TagFilters": [{"TagKey": "a", "TagValue": ["b"]}]},
            ("tag", "DescribeResourceTagsByTagKeys"): {
                "ServiceType": "vpc", "ResourcePrefix": "vpngw", "ResourceIds": [self.gateway],
                "ResourceRegion": "ap-guangzhou", "TagKeys": ["a"],
            },
            ("cvm", "DescribeRegions"): {},
            ("cvm", "DescribeZones"): {},
            ("region", "DescribeRegions"): {"Product": "vpc"},
            ("region", "DescribeZones"): {"Product": "vpc"},
            ("api", "DescribeRegions"): {"Product": "vpc"},
            ("api", "DescribeZones"): {"Product": "vpc"},
            ("sts", "GetCallerIdentity"): {},
            ("tag", "ModifyResourceTags"): {"Resource": name, "ReplaceTags": tags},
            ("tag", "TagResources"): {"ResourceList": [name], "Tags": tags},
            ("tag", "UnTagResources"): {"ResourceList": [name], "TagKeys": ["a"]},
            ("tag", "AddResourceTag"): one,
            ("tag", "UpdateResourceTagValue"): one,
            ("tag", "DeleteResourceTag"): {"TagKey": "a", "Resource": name},
            ("tag", "AttachResourcesTag"): {**many, "TagValue": "b"},
            ("tag", "ModifyResourcesTagValue"): {**many, "TagValue": "c"},
            ("tag", "DetachResourcesTag"): many,
            ("tag", "DescribeResourceTagsByResourceIdsSeq"): {
                name: many[name] for name in ("ServiceType", "ResourcePrefix", "ResourceIds", "ResourceRegion")
            },
            ("tag", "DescribeTagKeys"): {},
            ("tag", "DescribeTagValues"): {"TagKeys": ["a"]},
            ("tag", "GetTagKeys"): {},
            ("tag", "GetTagValues"): {"TagKeys": ["a"]},
            ("tag", "GetTags"): {},
            ("tag", "DescribeTags"): {},
            ("tag", "DescribeResourceTags"): {"ServiceType": "vpc", "ResourcePrefix": "vpngw", "ResourceId": self.gateway},
            ("tag", "GetResources"): {"ResourceList": [name]},
            ("tag", "DescribeResourceTagsByResourceIds"): {
                "ServiceType": "vpc", "ResourcePrefix": "vpngw", "ResourceIds": [self.gateway],
                "ResourceRegion": "ap-guangzhou",
            },
        }.get((service, action))
