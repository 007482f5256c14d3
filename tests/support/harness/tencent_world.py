"""Things made through the Tencent API for one test, and deleted in order afterwards."""

import time

from harness.errors import ApiError
from harness.made import Made, call_when_free, peer_ip, unique
from harness.waiting import until

__all__ = ["World", "Patient", "peer_ip", "unique"]

BUSY = (
    "UnsupportedOperation.InvalidState",
    "UnsupportedOperation.DeleteVpnConnInvalidState",
    "UnsupportedOperation.VpnConnInvalidState",
    "UnsupportedOperation.MutexOperationTaskRunning",
)
GONE = ("ResourceNotFound", "UnsupportedOperation.RecordNotExists")
RATE_TRIES = 40


class Patient:
    """A client that waits when it is told that it asks too often, as every client of this API must."""

    def __init__(self, api):
        self.api = api

    def __call__(self, action: str, service: str = "vpc", **params) -> dict:
        for _ in range(RATE_TRIES):
            try:
                return self.api(action, service=service, **params)
            except ApiError as error:
                if error.code != "RequestLimitExceeded":
                    raise
                time.sleep(0.25)
        raise AssertionError(f"{action} is limited without end")


class World(Made):
    """Makes things through `api` and remembers how to delete them."""

    def __init__(self, api):
        super().__init__(Patient(api))

    @staticmethod
    def is_gone(code: str) -> bool:
        return code in GONE or Made.is_gone(code)

    def zones(self) -> list[str]:
        """The region's zones."""
        return [zone["Zone"] for zone in self.api("DescribeZones", service="cvm")["ZoneSet"]]

    def vpc(self, cidr: str = "10.0.0.0/16", **more) -> str:
        """A VPC."""
        vpc = self.api("CreateVpc", VpcName=unique("vpc"), CidrBlock=cidr, **more)["Vpc"]["VpcId"]
        self.undo.append(lambda: self.api("DeleteVpc", VpcId=vpc))
        return vpc

    def subnet(self, vpc: str, cidr: str = "10.0.1.0/24", zone: str | None = None, **more) -> str:
        """A subnet."""
        made = self.api(
            "CreateSubnet", VpcId=vpc, SubnetName=unique("subnet"), CidrBlock=cidr, Zone=zone or self.zones()[0], **more
        )
        subnet = made["Subnet"]["SubnetId"]
        self.undo.append(lambda: self.delete_subnet(subnet))
        return subnet

    def delete_subnet(self, subnet: str) -> None:
        """Deletes a subnet and waits until it is gone."""
        self.api("DeleteSubnet", SubnetId=subnet)
        mine = [{"Name": "subnet-id", "Values": [subnet]}]
        until(lambda: not self.api("DescribeSubnets", Filters=mine)["SubnetSet"], what=f"end of {subnet}")

    def site(self) -> str:
        """A VPC with one subnet."""
        vpc = self.vpc()
        self.subnet(vpc)
        return vpc

    def gateway(self, vpc: str, wait: bool = True, **more) -> str:
        """A pay-as-you-go gateway, AVAILABLE unless `wait` is false."""
        params = {"VpcId": vpc, "VpnGatewayName": unique("gw"), "InternetMaxBandwidthOut": 5, **more}
        gateway = self.api("CreateVpnGateway", **params)["VpnGateway"]["VpnGatewayId"]
        self.undo.append(lambda: self.delete_gateway(gateway))
        if wait:
            self.wait_gateway(gateway)
        return gateway

    def read_gateway(self, gateway: str) -> dict | None:
        """The gateway, or None when there is none."""
        try:
            found = self.api("DescribeVpnGateways", VpnGatewayIds=[gateway])["VpnGatewaySet"]
        except ApiError as error:
            if error.code in GONE:
                return None
            raise
        return found[0] if found else None

    def wait_gateway(self, gateway: str) -> dict:
        """Waits until a gateway is AVAILABLE, and gives it."""

        def read():
            seen = self.read_gateway(gateway)
            return seen if seen and seen["State"] == "AVAILABLE" else None

        return until(read, what=f"{gateway} AVAILABLE")

    def delete_gateway(self, gateway: str) -> None:
        """Deletes a gateway and waits until it is gone."""
        if self.read_gateway(gateway) is None:
            return
        self.when_free(lambda: self.api("DeleteVpnGateway", VpnGatewayId=gateway))
        until(lambda: self.read_gateway(gateway) is None, what=f"end of {gateway}")

    def customer_gateway(self, ip: str | None = None, **more) -> str:
        """A customer gateway."""
        made = self.api("CreateCustomerGateway", CustomerGatewayName=unique("cgw"), IpAddress=ip or peer_ip(), **more)
        customer = made["CustomerGateway"]["CustomerGatewayId"]
        self.undo.append(lambda: self.api("DeleteCustomerGateway", CustomerGatewayId=customer))
        return customer

    def connection(self, gateway: str, customer: str, wait: bool = True, **more) -> str:
        """A connection, AVAILABLE unless `wait` is false."""
        params = {
            "VpnGatewayId": gateway, "CustomerGatewayId": customer, "VpnConnectionName": unique("vpnx"),
            "PreShareKey": "secret-1", "RouteType": "StaticRoute", **more,
        }
        made = self.when_free(lambda: self.api("CreateVpnConnection", **params))
        connection = made["VpnConnection"]["VpnConnectionId"]
        self.undo.append(lambda: self.delete_connection(gateway, connection))
        if wait:
            self.wait_connection(connection)
        return connection

    def read_connection(self, connection: str) -> dict | None:
        """The connection, or None when there is none."""
        try:
            found = self.api("DescribeVpnConnections", VpnConnectionIds=[connection])["VpnConnectionSet"]
        except ApiError as error:
            if error.code in GONE:
                return None
            raise
        return found[0] if found else None

    def wait_connection(self, connection: str) -> dict:
        """Waits until a connection is AVAILABLE, and gives it."""

        def read():
            seen = self.read_connection(connection)
            return seen if seen and seen["State"] == "AVAILABLE" else None

        return until(read, what=f"{connection} AVAILABLE")

    def delete_connection(self, gateway: str, connection: str) -> None:
        """Deletes a connection and waits until it is gone."""
        if self.read_connection(connection) is None:
            return
        self.when_free(lambda: self.api("DeleteVpnConnection", VpnGatewayId=gateway, VpnConnectionId=connection))
        until(lambda: self.read_connection(connection) is None, what=f"end of {connection}")

    @staticmethod
    def when_free(call):
        """Calls until what it names is not busy."""
        return call_when_free(call, BUSY, "an end of the change under way")
