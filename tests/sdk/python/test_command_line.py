"""The command line where something is wrong: it says what, and ends."""

import stat
import subprocess

import pytest

from harness.server import Server, ServerFailed, binary

TIMEOUT_S = 20


def serve(tmp_path, *words: str) -> tuple[int, str]:
    """Exit status and what was printed by a `serve` that should not come up."""
    line = [str(binary()), "serve", "--data-dir", str(tmp_path / "state"), "--listen", "127.0.0.1:0", *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "text, word",
    [
        ("colour = 'red'\n", "colour"),
        ("public_pools = ['nonsense']\n", "line 1"),
        ("[[accounts]]\nname = 'no id'\n", "id"),
        ("[[accounts]]\nid = '1'\nquotas = { spaceships = 3 }\n", "spaceships"),
        ("[[regions.acme]]\nid = 'x'\nzones = ['x-a']\n", "acme"),
        ("[[accounts]]\nid = '1'\naccess_keys = [{ id = 'LTAIx' }]\n", "LTAIx"),
    ],
)
def test_a_wrong_configuration_is_named(tmp_path, text, word):
    path = tmp_path / "causeway.toml"
    path.write_text(text)
    status, said = serve(tmp_path, "--config", str(path))
    assert status != 0 and word in said, said
    assert "panicked" not in said


def test_a_configuration_that_is_not_there(tmp_path):
    status, said = serve(tmp_path, "--config", str(tmp_path / "nowhere.toml"))
    assert status != 0 and "nowhere.toml" in said


@pytest.mark.parametrize("key", ["nocolon", ":secret", "id:"])
def test_a_wrong_development_key(tmp_path, key):
    status, said = serve(tmp_path, "--dev-key", key)
    assert status != 0 and "ID:SECRET" in said


def test_an_address_in_use(tmp_path):
    with Server() as first:
        line = [str(binary()), "serve", "--data-dir", str(tmp_path), "--listen", first.address]
        done = subprocess.run(line, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        assert done.returncode != 0 and first.address in done.stderr
        assert first.healthy()


def test_one_service_a_data_directory():
    with Server() as first:
        second = Server(data_dir=first.data_dir)
        with pytest.raises(ServerFailed):
            second.start()
        assert first.healthy() and "http" in first.ctl("endpoints")


def test_ctl_without_a_service(tmp_path):
    done = subprocess.run(
        [str(binary()), "ctl", "--data-dir", str(tmp_path), "status"], capture_output=True, text=True,
        timeout=TIMEOUT_S, check=False,
    )
    assert done.returncode != 0 and str(tmp_path) in done.stderr


def test_an_order_that_nobody_placed(server):
    with pytest.raises(ServerFailed, match="12345"):
        server.ctl("orders", "pay", "12345")


def test_the_data_directory_is_its_owners_alone(tmp_path):
    state = tmp_path / "state"
    with Server(data_dir=str(state), config="") as server:
        assert server.healthy()
        assert stat.S_IMODE(state.stat().st_mode) & 0o077 == 0
        assert stat.S_IMODE((state / "key").stat().st_mode) & 0o077 == 0


def test_help_and_version():
    for words in (["--help"], ["--version"], ["serve", "--help"], ["ctl", "--help"], ["demo", "--help"], ["lab", "--help"]):
        done = subprocess.run([str(binary()), *words], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        assert done.returncode == 0 and done.stdout
