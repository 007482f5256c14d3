"""Tencent's official Python SDK behind one call: `api(action, **parameters) -> dict`.

Requests and answers pass through the SDK's own typed classes.
"""

import importlib
import json

from harness.errors import ApiError

REGION = "ap-guangzhou"
SERVICES = {
    "vpc": ("tencentcloud.vpc.v20170312", "vpc_client", "VpcClient"),
    "tag": ("tencentcloud.tag.v20180813", "tag_client", "TagClient"),
    "sts": ("tencentcloud.sts.v20180813", "sts_client", "StsClient"),
    "cvm": ("tencentcloud.cvm.v20170312", "cvm_client", "CvmClient"),
}


class Sdk:
    """tencentcloud-sdk-python. `profile` is passed to ClientProfile, `http` to HttpProfile."""

    def __init__(
        self, server, region: str | None = REGION, secret: str | None = None, key: str | None = None,
        http: dict | None = None, unsigned: bool = False, **profile,
    ):
        from tencentcloud.common import credential
        from tencentcloud.common.profile.client_profile import ClientProfile
        from tencentcloud.common.profile.http_profile import HttpProfile

        http = {"protocol": "http", "endpoint": server.address, "reqTimeout": 20, **(http or {})}
        profile.setdefault("language", "en-US")
        self.profile = ClientProfile(httpProfile=HttpProfile(**http), **profile)
        # An attribute only: its constructor does not take it.
        self.profile.unsignedPayload = unsigned
        self.credential = credential.Credential(key or server.key_id, secret or server.key_secret)
        self.region = region
        self.parts: dict[str, tuple] = {}

    def part(self, service: str) -> tuple:
        """The service's client and models."""
        if service not in self.parts:
            package, module, name = SERVICES[service]
            client = getattr(importlib.import_module(f"{package}.{module}"), name)
            models = importlib.import_module(f"{package}.models")
            self.parts[service] = (client(self.credential, self.region, self.profile), models)
        return self.parts[service]

    def __call__(self, action: str, service: str = "vpc", **params) -> dict:
        from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

        client, models = self.part(service)
        request = getattr(models, action + "Request")()
        request.from_json_string(json.dumps(params))
        try:
            return json.loads(getattr(client, action)(request).to_json_string())
        except TencentCloudSDKException as error:
            raise ApiError(error.get_code(), error.get_message(), None, error.get_request_id()) from error


def clients(server) -> dict:
    """The SDK in each manner it can speak."""
    return {
        "tc3-post": Sdk(server),
        "tc3-get": Sdk(server, http={"reqMethod": "GET"}),
        "tc3-unsigned": Sdk(server, unsigned=True),
        "v1-sha1": Sdk(server, signMethod="HmacSHA1"),
        "v1-sha256": Sdk(server, signMethod="HmacSHA256"),
        "v1-get": Sdk(server, signMethod="HmacSHA256", http={"reqMethod": "GET"}),
        "host-with-scheme": Sdk(server, http={"endpoint": server.url}),
    }
