"""Alibaba's official Python SDKs behind one call: `api(action, **parameters) -> dict`.

Only the calling convention is unified; requests and answers pass through the SDKs' own typed classes.
"""

import importlib
import json

from harness import documented
from harness.errors import ApiError

REGION = "cn-hangzhou"


class NewSdk:
    """alibabacloud_vpc20160428: ACS3 by default, the older scheme with `signature_algorithm="v2"`."""

    def __init__(self, server, region: str = REGION, algorithm: str | None = None, secret: str | None = None, key=None):
        from alibabacloud_tea_openapi.utils_models import Config
        from alibabacloud_vpc20160428 import models
        from alibabacloud_vpc20160428.client import Client

        self.region = region
        self.models = models
        settings = {"signature_algorithm": algorithm} if algorithm else {}
        self.client = Client(
            Config(
                access_key_id=key or server.key_id,
                access_key_secret=secret or server.key_secret,
                endpoint=server.address,
                protocol="HTTP",
                region_id=region,
                read_timeout=20000,
                **settings,
            )
        )

    def __call__(self, action: str, **params) -> dict:
        from alibabacloud_tea_openapi.exceptions import AlibabaCloudException

        params.setdefault("RegionId", self.region)
        request = getattr(self.models, action + "Request")().from_map(params)
        method = getattr(self.client, snake(action))
        try:
            return method(request).body.to_map()
        except AlibabaCloudException as error:
            message = bare_message(error)
            differs = documented.differs(action, error.code, error.status_code, message)
            assert not differs, differs
            request_id = getattr(error, "request_id", "") or ""
            raise ApiError(error.code, message, error.status_code, request_id) from error


def bare_message(error) -> str:
    """The service's own message; the SDK wraps it as `code: 400, TEXT request id: ID`."""
    text = (error.data or {}).get("Message") if isinstance(getattr(error, "data", None), dict) else None
    return text or error.message or ""


def snake(action: str) -> str:
    """The SDK's method for an action: DescribeVSwitches -> describe_vswitches."""
    text = ""
    for index, letter in enumerate(action):
        after_lower = index > 0 and not action[index - 1].isupper()
        if letter.isupper() and after_lower:
            text += "_"
        text += letter.lower()
    return text


class OldSdk:
    """aliyun-python-sdk-core with aliyun-python-sdk-vpc."""

    def __init__(self, server, region: str = REGION, secret: str | None = None, key=None, answer: str = "JSON"):
        from aliyunsdkcore.client import AcsClient

        self.region = region
        self.server = server
        self.answer = answer
        self.client = AcsClient(
            key or server.key_id, secret or server.key_secret, region, auto_retry=False, timeout=20
        )

    def request(self, action: str, params: dict):
        """The SDK's request, filled."""
        try:
            module = importlib.import_module(f"aliyunsdkvpc.request.v20160428.{action}Request")
            request = getattr(module, action + "Request")()
        except ModuleNotFoundError:
            from aliyunsdkcore.request import CommonRequest

            request = CommonRequest(domain=self.server.address, version="2016-04-28", action_name=action)
            request.set_method("POST")
        request.set_endpoint(self.server.address)
        request.set_protocol_type("http")
        request.set_accept_format(self.answer)
        for name, value in params.items():
            self.put(request, name, value)
        return request

    @staticmethod
    def put(request, name: str, value) -> None:
        """Uses the request's typed setter where it has one (lists are spelled Tagss, ResourceIds, …)."""
        for spelled in ("set_" + name, "set_" + name + "s"):
            setter = getattr(request, spelled, None)
            if setter is not None:
                setter(value)
                return
        request.add_query_param(name, value)

    def __call__(self, action: str, **params) -> dict:
        return json.loads(self.text(action, **params))

    def text(self, action: str, **params) -> bytes:
        """The answer as it came."""
        from aliyunsdkcore.acs_exception.exceptions import ServerException

        request = self.request(action, params)
        if self.answer != "JSON":
            # do_action_with_exception asks for JSON whatever was set.
            return self.client.do_action(request)
        try:
            return self.client.do_action_with_exception(request)
        except ServerException as error:
            raise ApiError(
                error.get_error_code(), error.get_error_msg(), error.get_http_status(), error.get_request_id()
            ) from error


def clients(server, region: str = REGION) -> dict:
    """Every client of this vendor, by the name of its scheme."""
    return {
        "acs3": NewSdk(server, region),
        "v2": NewSdk(server, region, algorithm="v2"),
        "old": OldSdk(server, region),
    }
