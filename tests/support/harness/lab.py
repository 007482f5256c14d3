"""What the labs share: whether there can be any, the algorithms they use, and what a service must not leave."""

import os
import pathlib
import subprocess

from harness.server import Server
from harness.waiting import PATIENCE_S

STRONGSWAN = {"VendorName": "strongswan", "Platform": "linux", "SoftwareVersion": "V5.9"}
IKE = {"IKEVersion": "IKEV2", "PropoEncryAlgorithm": "AES-CBC-128", "PropoAuthenAlgorithm": "SHA-256", "DhGroupName": "GROUP14"}
ESP = {"EncryptAlgorithm": "AES-CBC-128", "IntegrityAlgorith": "SHA1", "PfsDhGroup": "NULL"}


def why_not() -> str | None:
    """Why there can be no real gateways here."""
    if os.geteuid() != 0:
        return "real gateways need root"
    if not pathlib.Path("/dev/net/tun").is_char_device():
        return "real gateways need /dev/net/tun"
    return None


def namespaces() -> list[str]:
    """The names of all network namespaces."""
    directory = pathlib.Path("/run/netns")
    return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []


def namespaces_of(server: Server) -> list[str]:
    """Those of a service's node."""
    assert server.node_tag
    return [name for name in namespaces() if name.startswith(f"cw{server.node_tag}-")]


def assert_nothing_left(server: Server) -> None:
    """`--cleanup` leaves neither a namespace of the node nor its run directory behind."""
    assert namespaces_of(server) == []
    assert not (pathlib.Path("/run/causeway") / server.node_tag).exists()


def run(*words: str) -> str:
    """Runs a command that has to succeed, and gives what it prints."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout
