"""Things made through the Alibaba API for one test, and deleted in order afterwards."""

import json

from harness.errors import ApiError
from harness.made import Made, call_when_free, peer_ip, unique
from harness.waiting import until

__all__ = ["World", "gone", "peer_ip", "unique", "when_free"]

BUSY = ("VpnGateway.Configuring", "VpnTask.CONFLICT", "TaskConflict", "VpnGateway.task.conflict")
NOT_FOUND = "NotFound"


def gone(call) -> bool:
    """Whether the read says that there is no such thing."""
    try:
        call()
    except ApiError as error:
        if NOT_FOUND in error.code:
            return True
        raise
    return False


def when_free(call):
    """Calls until the gateway is not busy with another change, as clients do."""
    return call_when_free(call, BUSY, "an end of the gateway's configuring")


class World(Made):
    """Makes things through `api` and remembers how to delete them."""

    def zones(self) -> list[str]:
        """The region's zones."""
        return [zone["ZoneId"] for zone in self.api("DescribeZones")["Zones"]["Zone"]]

    def vpc(self, cidr: str = "10.0.0.0/8", **more) -> str:
        """A VPC that is Available."""
        vpc = self.api("CreateVpc", CidrBlock=cidr, VpcName=unique("vpc"), **more)["VpcId"]
        self.undo.append(lambda: self.api("DeleteVpc", VpcId=vpc))
        until(lambda: self.api("DescribeVpcAttribute", VpcId=vpc)["Status"] == "Available", what="the VPC")
        return vpc

    def vswitch(self, vpc: str, cidr: str = "10.1.0.0/24", zone: str | None = None, **more) -> str:
        """A vSwitch that is Available."""
        zone = zone or self.zones()[0]
        vswitch = self.api("CreateVSwitch", VpcId=vpc, CidrBlock=cidr, ZoneId=zone, **more)["VSwitchId"]
        self.undo.append(lambda: self.delete_vswitch(vswitch))
        until(
            lambda: self.api("DescribeVSwitchAttributes", VSwitchId=vswitch)["Status"] == "Available",
            what="the vSwitch",
        )
        return vswitch

    def delete_vswitch(self, vswitch: str) -> None:
        """Deletes a vSwitch and waits until it is gone; a VPC with one can't be deleted."""
        self.api("DeleteVSwitch", VSwitchId=vswitch)
        until(
            lambda: not self.api("DescribeVSwitchAttributes", VSwitchId=vswitch).get("VSwitchId"),
            what=f"end of {vswitch}",
        )

    def site(self) -> tuple[str, str]:
        """A VPC with one vSwitch."""
        vpc = self.vpc()
        return vpc, self.vswitch(vpc)

    def dual_site(self) -> tuple[str, str, str]:
        """A VPC with two vSwitches in different zones."""
        vpc = self.vpc()
        first, second = self.zones()[:2]
        return vpc, self.vswitch(vpc, "10.1.0.0/24", first), self.vswitch(vpc, "10.2.0.0/24", second)

    def gateway(self, vpc: str, vswitch: str, wait: bool = True, **more) -> str:
        """A pay-as-you-go gateway, active unless `wait` is false."""
        params = {"VpcId": vpc, "VSwitchId": vswitch, "Bandwidth": 10, "InstanceChargeType": "POSTPAY", **more}
        gateway = self.api("CreateVpnGateway", **params)["VpnGatewayId"]
        self.undo.append(lambda: self.delete_gateway(gateway))
        if wait:
            self.wait_gateway(gateway)
        return gateway

    def enhanced(self, vpc: str, first: str, second: str, **more) -> str:
        """An active enhanced gateway."""
        params = {"VpcId": vpc, "VSwitchId": first, "DisasterRecoveryVSwitchId": second, **more}
        gateway = self.api("CreateEnhancedVpnGateway", GatewayType="Enhanced.SiteToSite", **params)["VpnGatewayId"]
        self.undo.append(lambda: self.delete_gateway(gateway, "DeleteEnhancedVpnGateway"))
        self.wait_gateway(gateway)
        return gateway

    def wait_gateway(self, gateway: str, status: str = "active") -> dict:
        """Waits for a status, and gives the gateway."""

        def read():
            seen = self.api("DescribeVpnGateway", VpnGatewayId=gateway)
            return seen if seen["Status"] == status else None

        return until(read, what=f"{gateway} {status}")

    def delete_gateway(self, gateway: str, action: str = "DeleteVpnGateway") -> None:
        """Deletes a gateway and waits until it is gone."""
        try:
            when_free(lambda: self.api(action, VpnGatewayId=gateway))
        except ApiError as error:
            if NOT_FOUND in error.code:
                return
            raise
        until(lambda: gone(lambda: self.api("DescribeVpnGateway", VpnGatewayId=gateway)), what=f"end of {gateway}")

    def customer_gateway(self, ip: str | None = None, **more) -> str:
        """A customer gateway."""
        made = self.api("CreateCustomerGateway", IpAddress=ip or peer_ip(), **more)
        customer = made["CustomerGatewayId"]
        self.undo.append(lambda: self.api("DeleteCustomerGateway", CustomerGatewayId=customer))
        return customer

    def connection(self, gateway: str, customer: str | None, wait: bool = True, **more) -> str:
        """A connection, active unless `wait` is false. Dictionaries become the JSON strings of the API."""
        params = {"LocalSubnet": "10.0.0.0/8", "RemoteSubnet": "192.168.10.0/24", **more}
        if customer:
            params["CustomerGatewayId"] = customer
        for name, value in params.items():
            if isinstance(value, dict):
                params[name] = json.dumps(value)
        made = when_free(lambda: self.api("CreateVpnConnection", VpnGatewayId=gateway, **params))
        connection = made["VpnConnectionId"]
        self.undo.append(lambda: self.delete_connection(connection, gateway))
        if wait:
            self.wait_connection(connection)
            self.wait_gateway(gateway)
        return connection

    def wait_connection(self, connection: str) -> dict:
        """Waits until a connection's State is active, and gives it."""

        def read():
            seen = self.api("DescribeVpnConnection", VpnConnectionId=connection)
            return seen if seen["State"] == "active" else None

        return until(read, what=f"{connection} active")

    def delete_connection(self, connection: str, gateway: str) -> None:
        """Deletes a connection and waits until it is gone and its gateway is free."""
        try:
            when_free(lambda: self.api("DeleteVpnConnection", VpnConnectionId=connection))
        except ApiError as error:
            if NOT_FOUND in error.code:
                return
            raise
        until(
            lambda: gone(lambda: self.api("DescribeVpnConnection", VpnConnectionId=connection)),
            what=f"end of {connection}",
        )
        self.wait_gateway(gateway)
