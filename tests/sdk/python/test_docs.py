"""What docs/ tells people to copy is run as it stands, with the address and the key put in."""

import ast
import pathlib
import re

import pytest

from harness.alibaba_sdk import NewSdk
from harness.server import Server

DOCS = pathlib.Path(__file__).resolve().parents[3] / "docs"


def blocks(name: str, language: str) -> list[str]:
    """The code blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_configuration_of_the_operators_page(tmp_path):
    (text,) = blocks("operating.md", "toml")
    secret = tmp_path / "tenant.secret"
    secret.write_text("tenant-secret\n")
    config = text.replace("/etc/causeway/tenant.secret", str(secret))
    with Server(config=config) as server:
        tenant = NewSdk(server, key="LTAItenant", secret="tenant-secret")
        assert [row["RegionId"] for row in tenant("DescribeRegions")["Regions"]["Region"]] == ["cn-hangzhou"]
        zones = [zone["ZoneId"] for zone in tenant("DescribeZones")["Zones"]["Zone"]]
        assert zones == ["cn-hangzhou-a", "cn-hangzhou-b", "cn-hangzhou-c"]
        selling = tenant("DescribeVpnGatewayAvailableZones", Spec="5M")["AvailableZoneIdList"]
        assert [zone["ZoneId"] for zone in selling] == zones[:2]


@pytest.mark.parametrize("number", range(3))
def test_the_python_of_the_clients_page(server, number, capsys):
    text = blocks("clients.md", "python")[number]
    for old, new in (("127.0.0.1:8440", server.address), ('"ID"', f'"{server.key_id}"'), ('"SECRET"', f'"{server.key_secret}"')):
        assert old in text
        text = text.replace(old, new)
    ast.parse(text)
    exec(compile(text, "docs/clients.md", "exec"), {})  # noqa: S102
    assert "TotalCount" in capsys.readouterr().out
