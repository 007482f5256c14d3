"""`causeway lab` as its user meets it: what is wrong is said, and breaks nothing."""

import json
import pathlib

import pytest

from harness.lab import why_not
from harness.server import ServerFailed
from harness.sites import HOST

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.mark.parametrize("words, said", [
    (("host", "web", "--subnet", "SUBNET", "--ip", "10.99.1.100"), "10.99.1.100 is no address of a host"),
    (("host", "web", "--subnet", "SUBNET", "--ip", "10.0.1.1"), "10.0.1.1 is no address of a host"),
    (("host", "web", "--subnet", "subnet-none", "--ip", "10.0.1.50"), "there is no subnet"),
    (("delete", "nobody"), "there is no host or site"),
    (("ping", "vpc", "203.0.113.99", "--count", "1"), "0 of 1 came back"),
    (("exec", "vpc", "--", "no-such-command"), "no-such-command"),
])
def test_what_is_wrong_is_said(lab, words, said):
    with pytest.raises(ServerFailed, match=said):
        lab.server.lab(*(lab.subnet if word == "SUBNET" else word for word in words))
    assert "web" not in lab.server.lab("list").split(), "nothing half made is left"


def test_a_download_is_loaded_as_it_was_answered(lab, tmp_path):
    """What an SDK prints of the answer, and not only the text in it."""
    text = (pathlib.Path(lab.server.data_dir) / "east.conf").read_text()
    answer = tmp_path / "download.json"
    answer.write_text(json.dumps({"Response": {"CustomerGatewayConfiguration": text, "RequestId": "1"}}))
    assert "loaded connection" in lab.server.lab("load", "east", str(answer))
    lab.up("east")
    assert lab.ping("east-host", HOST)[1] > 0
    answer.write_text("conections { nonsense { ")
    with pytest.raises(ServerFailed, match="holds no connection"):
        lab.server.lab("load", "east", str(answer))
