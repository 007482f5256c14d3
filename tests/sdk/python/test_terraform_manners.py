"""The sequences of Terraform's two providers, by hand: what they send where, and what they trip over.

The providers can't be had from a package registry; specs/*/matrix.md tells their calls, their waits and their traps.
"""

import uuid

from harness import sign_alibaba
from harness.alibaba_world import peer_ip
from harness.sign_alibaba import exchange, flatten, now_text
from harness.sign_tencent import tc3_send
from harness.waiting import until

REGION = "cn-hangzhou"
# What the provider's data sources dereference without a look.
GATEWAY_FIELDS = ("RenewFlag", "NewPurchasePlan", "Zone", "ExpiredTime", "RestrictState", "IsAddressBlocked",
                  "PublicIpAddress", "CreatedTime", "Type", "Version", "State", "InstanceChargeType")
IKE_FIELDS = ("LocalAddress", "RemoteAddress", "LocalFqdnName", "RemoteFqdnName")


def rpc(server, action: str, query: dict, body: dict | None = None) -> tuple[int, dict]:
    """RpcPost of the alicloud provider: the id often in the query, the rest in the form, v1 signature."""
    common = {
        "Action": action, "Version": "2016-04-28", "Format": "json", "AccessKeyId": server.key_id,
        "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "SignatureNonce": uuid.uuid4().hex,
        "Timestamp": now_text(), **flatten(query),
    }
    form = flatten(body or {})
    common["Signature"] = sign_alibaba.v1_signature("POST", {**common, **form}, server.key_secret)
    reply = exchange(
        server.port, "POST", "/?" + sign_alibaba.canonical(common),
        {
            "content-type": sign_alibaba.FORM, "x-acs-action": action, "x-acs-version": "2016-04-28",
            "User-Agent": "AlibabaCloud (linux; amd64) Golang/1.27.3 Core/0.01 TeaDSL/1 Terraform/x", "Accept-Encoding": "gzip",
        },
        sign_alibaba.canonical(form).encode(),
    )
    # A body that is no JSON object fails the provider whatever the status.
    answer = reply.json()
    assert isinstance(answer, dict)
    if reply.status >= 400:
        assert answer["Code"] and answer["Message"]
    return reply.status, answer


def token(action: str) -> str:
    """The provider's client token, new for every attempt."""
    return f"TF-{action}-1795190116-{uuid.uuid4()}"[:64]


def wait_active(server, gateway: str) -> dict:
    """The provider's wait."""

    def read():
        status, seen = rpc(server, "DescribeVpnGateway", {"RegionId": REGION, "VpnGatewayId": gateway})
        assert status == 200
        return seen if seen["Status"] == "active" else None

    return until(read, what=gateway)


def ok(result: tuple[int, dict]) -> dict:
    """The answer of a call that must succeed."""
    assert result[0] == 200, result
    return result[1]


def retried(server, action: str, query: dict, body: dict | None = None, codes=("VpnGateway.Configuring",)) -> dict:
    """The provider's retry on the codes it knows."""

    def attempt():
        status, answer = rpc(server, action, query, {**(body or {}), "ClientToken": token(action)})
        if status == 200:
            return answer
        assert answer["Code"] in codes, answer
        return None

    return until(attempt, what=action)


def test_alicloud_apply_and_destroy(server):
    region = {"RegionId": REGION}
    account = ok(rpc(server, "DescribeRegions", region))
    assert account["RequestId"]
    vpc = ok(rpc(server, "CreateVpc", region, {"CidrBlock": "10.0.0.0/8", "VpcName": "tf", "ClientToken": token("CreateVpc")}))
    tables = ok(rpc(server, "DescribeRouteTableList", {**region, "VpcId": vpc["VpcId"]}))
    assert tables["RouterTableList"]["RouterTableListType"][0]["RouteTableId"] == vpc["RouteTableId"]
    is_available = {"Status": "Available"}.items()
    until(lambda: is_available <= ok(rpc(server, "DescribeVpcAttribute", {**region, "VpcId": vpc["VpcId"]})).items(), what="the VPC")
    zone = ok(rpc(server, "DescribeZones", region))["Zones"]["Zone"][0]["ZoneId"]
    vswitch = ok(rpc(server, "CreateVSwitch", region, {"VpcId": vpc["VpcId"], "CidrBlock": "10.1.0.0/24", "ZoneId": zone}))["VSwitchId"]
    made = ok(rpc(server, "CreateVpnGateway", region, {
        "VpcId": vpc["VpcId"], "VSwitchId": vswitch, "Bandwidth": 10, "EnableIpsec": "true", "EnableSsl": "false",
        "InstanceChargeType": "POSTPAY", "AutoPay": "true", "Name": "tf-gw", "NetworkType": "public",
        "ClientToken": token("CreateVpnGateway"),
    }))
    gateway = made["VpnGatewayId"]
    seen = wait_active(server, gateway)
    for name in ("Name", "Description", "Spec", "ChargeType", "IpsecVpn", "SslVpn", "SslMaxConnections", "EnableBgp", "AutoPropagate"):
        assert name in seen, name
    ok(rpc(server, "TagResources", region, {"ResourceType": "VpnGateWay", "ResourceId.1": gateway, "Tag": [{"Key": "Created", "Value": "TF"}]}))
    rows = ok(rpc(server, "ListTagResources", region, {"ResourceType": "VpnGateWay", "ResourceId.1": gateway}))
    assert [(row["TagKey"], row["TagValue"]) for row in rows["TagResources"]["TagResource"]] == [("Created", "TF")]
    ok(rpc(server, "ModifyVpnGatewayAttribute", {**region, "VpnGatewayId": gateway}, {"Name": "tf-gw-2", "Description": "again"}))
    wait_active(server, gateway)
    customer = ok(rpc(server, "CreateCustomerGateway", region, {"IpAddress": peer_ip(), "Name": "tf-cgw", "ClientToken": token("C")}))["CustomerGatewayId"]
    connection = retried(server, "CreateVpnConnection", region, {
        "VpnGatewayId": gateway, "CustomerGatewayId": customer, "LocalSubnet": "10.0.0.0/8,172.16.0.0/12",
        "RemoteSubnet": "192.168.0.0/24", "EffectImmediately": "true", "IkeConfig": '{"Psk":"a b+c*~","IkeVersion":null}'.replace(" ", "-"),
        "HealthCheckConfig": '{"enable":"false"}', "EnableDpd": "true", "AutoConfigRoute": "true",
    })["VpnConnectionId"]

    def active():
        read = ok(rpc(server, "DescribeVpnConnection", {**region, "VpnConnectionId": connection}))
        return read["State"] == "active" and read

    read = until(active, what=connection)
    assert read["IkeConfig"]["Psk"] == "a-b+c*~"
    wait_active(server, gateway)
    retried(server, "DeleteVpnConnection", {**region, "VpnConnectionId": connection})
    until(lambda: rpc(server, "DescribeVpnConnection", {**region, "VpnConnectionId": connection})[0] == 404, what="gone")
    retried(server, "DeleteCustomerGateway", {**region, "CustomerGatewayId": customer})
    assert rpc(server, "DescribeCustomerGateway", {**region, "CustomerGatewayId": customer})[0] == 404
    retried(server, "DeleteVpnGateway", {**region, "VpnGatewayId": gateway})
    until(lambda: rpc(server, "DescribeVpnGateway", {**region, "VpnGatewayId": gateway})[0] == 404, what="gone")
    retried(server, "DeleteVSwitch", {**region, "VSwitchId": vswitch}, codes=("DependencyViolation", "DependencyViolation.CloudService"))
    until(lambda: not ok(rpc(server, "DescribeVSwitchAttributes", {**region, "VSwitchId": vswitch})).get("VSwitchId"), what="gone")
    retried(server, "DeleteVpc", {**region, "VpcId": vpc["VpcId"]}, codes=("DependencyViolation.VSwitch",))
    until(lambda: rpc(server, "DescribeVpcAttribute", {**region, "VpcId": vpc["VpcId"]})[0] == 404, what="gone")


def ten(server, action: str, params: dict, service: str = "vpc", version: str = "2017-03-12") -> dict:
    """A call of the tencentcloud provider: compact JSON, empty texts kept, its own header names."""
    response = tc3_send(
        server, action, params, service=service, version=version, host=f"{service}.tencentcloudapi.com",
        replaced={"X-TC-RequestClient": "Terraform-latest", "User-Agent": "Go-http-client/1.1"},
    ).json()
    assert list(response) == ["Response"]
    assert "Error" not in response["Response"], (action, response)
    return response["Response"]


def tags_of(server, prefix: str, resource: str) -> dict:
    """The tag call that follows every read."""
    answer = ten(server, "DescribeResourceTagsByResourceIds", {
        "ServiceType": "vpc", "ResourcePrefix": prefix, "ResourceIds": [resource], "ResourceRegion": "ap-guangzhou",
        "Offset": 0, "Limit": 20,
    }, "tag", "2018-08-13")
    assert all(row["ResourceId"] == resource for row in answer["Tags"])
    return {row["TagKey"]: row["TagValue"] for row in answer["Tags"]}


def test_tencentcloud_apply_and_destroy(server):
    vpc = ten(server, "CreateVpc", {
        "VpcName": "tf", "CidrBlock": "10.0.0.0/16", "EnableMulticast": "false", "EnableRouteVpcPublish": False,
        "EnableRouteVpcPublishIpv6": False,
    })["Vpc"]["VpcId"]
    main = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
    assert ten(server, "DescribeRouteTables", {"Filters": main, "Offset": "0", "Limit": "100"})["TotalCount"] == 1
    zone = ten(server, "DescribeZones", {}, "cvm")["ZoneSet"][0]["Zone"]
    subnet = ten(server, "CreateSubnet", {"VpcId": vpc, "SubnetName": "tf", "CidrBlock": "10.0.1.0/24", "Zone": zone})["Subnet"]["SubnetId"]
    ten(server, "ModifySubnetAttribute", {"SubnetId": subnet, "EnableBroadcast": "false"})
    gateway = ten(server, "CreateVpnGateway", {
        "VpcId": vpc, "VpnGatewayName": "tf", "InternetMaxBandwidthOut": 10, "InstanceChargeType": "POSTPAID_BY_HOUR", "Type": "IPSEC",
    })["VpnGateway"]["VpnGatewayId"]

    def read_gateway():
        found = ten(server, "DescribeVpnGateways", {"VpnGatewayIds": [gateway]})["VpnGatewaySet"]
        assert len(found) == 1, "zero items right after the creation are fatal to the provider"
        return found[0] if found[0]["State"] == "AVAILABLE" else None

    seen = until(read_gateway, what=gateway)
    assert all(seen[name] is not None for name in GATEWAY_FIELDS), seen
    assert seen["RenewFlag"] in ("NOTIFY_AND_AUTO_RENEW", "NOTIFY_AND_MANUAL_RENEW", "NOT_NOTIFY_AND_NOT_RENEW")
    ten(server, "ModifyResourceTags", {
        "Resource": f"qcs::vpc:ap-guangzhou:uin/:vpngw/{gateway}", "ReplaceTags": [{"TagKey": "by", "TagValue": "tf"}],
    }, "tag", "2018-08-13")
    assert tags_of(server, "vpngw", gateway) == {"by": "tf"}
    customer = ten(server, "CreateCustomerGateway", {"CustomerGatewayName": "tf", "IpAddress": peer_ip()})["CustomerGateway"]["CustomerGatewayId"]
    assert tags_of(server, "cgw", customer) == {}
    pair = [{"Name": name, "Values": [value]} for name, value in (("vpn-gateway-id", gateway), ("vpc-id", vpc), ("customer-gateway-id", customer))]
    ten(server, "CreateVpnConnection", {
        "VpcId": vpc, "VpnGatewayId": gateway, "CustomerGatewayId": customer, "VpnConnectionName": "tf", "PreShareKey": "test",
        "SecurityPolicyDatabases": [{"LocalCidrBlock": "10.0.1.0/24", "RemoteCidrBlock": ["3.3.3.0/26"]}], "RouteType": "STATIC",
        "IKEOptionsSpecification": {
            "PropoEncryAlgorithm": "3DES-CBC", "PropoAuthenAlgorithm": "MD5", "ExchangeMode": "AGGRESSIVE", "LocalIdentity": "ADDRESS",
            "RemoteIdentity": "ADDRESS", "LocalAddress": seen["PublicIpAddress"], "RemoteAddress": "1.2.3.4",
            "DhGroupName": "GROUP2", "IKESaLifetimeSeconds": 86401, "IKEVersion": "IKEV1",
        },
        "IPSECOptionsSpecification": {
            "EncryptAlgorithm": "3DES-CBC", "IntegrityAlgorith": "SHA1", "IPSECSaLifetimeSeconds": 14400, "PfsDhGroup": "NULL",
            "IPSECSaLifetimeTraffic": 4096000000,
        },
        "EnableHealthCheck": False, "DpdEnable": 1, "DpdTimeout": "30", "DpdAction": "clear",
    })

    def read_connection():
        found = ten(server, "DescribeVpnConnections", {"Filters": pair, "Offset": 0, "Limit": 100})["VpnConnectionSet"]
        assert len(found) == 1
        return found[0] if found[0]["State"] == "AVAILABLE" else None

    read = until(read_connection, what="the connection")
    assert all(isinstance(read["IKEOptionsSpecification"][name], str) for name in IKE_FIELDS)
    assert isinstance(read["DpdTimeout"], str) and isinstance(read["IKEOptionsSpecification"]["IKESaLifetimeSeconds"], int)
    assert read["IPSECOptionsSpecification"]["IntegrityAlgorith"] == "SHA1"
    connection = read["VpnConnectionId"]
    ten(server, "DeleteVpnConnection", {"VpnGatewayId": gateway, "VpnConnectionId": connection})
    until(lambda: not ten(server, "DescribeVpnConnections", {"Filters": pair[:1], "Offset": 0})["VpnConnectionSet"], what="gone")
    ten(server, "DeleteCustomerGateway", {"CustomerGatewayId": customer})
    assert ten(server, "DescribeCustomerGateways", {"CustomerGatewayIds": [customer]})["CustomerGatewaySet"] == []
    ten(server, "DeleteVpnGateway", {"VpnGatewayId": gateway})
    until(lambda: not ten(server, "DescribeVpnGateways", {"VpnGatewayIds": [gateway]})["VpnGatewaySet"], what="gone")
    ten(server, "DeleteSubnet", {"SubnetId": subnet})
    ten(server, "DeleteVpc", {"VpcId": vpc})
