"""A data directory that is full, can't be written, is somebody else's, is in use or is damaged: a clear word, nothing
lost, and on it goes when there is room again."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from harness.errors import ApiError
from harness.server import Server, ServerFailed, binary
from harness.tencent_sdk import Sdk
from harness.tencent_world import World
from harness.waiting import PATIENCE_S, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="file systems of a test's own need root")


@pytest.fixture
def small(tmp_path):
    """A file system of 2 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(place)], check=True, timeout=PATIENCE_S)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True, timeout=PATIENCE_S)


def start(data_dir: pathlib.Path, *more: str) -> subprocess.CompletedProcess:
    """A start that has to fail, with what it says."""
    line = [str(binary()), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(data_dir), *more]
    return subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def test_a_full_disk_is_told_and_loses_nothing(small):
    server = Server(data_dir=str(small))
    with server:
        world = World(Sdk(server))
        made = [world.customer_gateway() for _ in range(3)]
        filler = small / "filler"
        file = os.open(filler, os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(file, b"x" * 4096)
        except OSError:
            os.close(file)
        refused = None
        for _ in range(2000):
            try:
                made.append(world.customer_gateway())
            except ApiError as error:
                refused = error
                break
        assert refused is not None and refused.code in ("InternalError", "InternalServerError"), refused
        assert not server.healthy(), "what can't write says so"
        listed = {it["CustomerGatewayId"] for it in all_of(world)}
        assert listed == set(made), "what was answered is there, and nothing else"
        filler.unlink()
        made.append(world.customer_gateway())
        assert server.healthy(), "it goes on"
        server.kill()
        server.start()
        world = World(Sdk(server))
        assert {it["CustomerGatewayId"] for it in all_of(world)} == set(made)
        server.stop()


def all_of(world: World) -> list[dict]:
    """Every customer gateway."""
    found: list[dict] = []
    while True:
        page = world.api("DescribeCustomerGateways", Offset=len(found), Limit=100)["CustomerGatewaySet"]
        found += page
        if not page:
            return found


def test_a_directory_that_cant_be_written_is_named(small):
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True, timeout=PATIENCE_S)
    done = start(small)
    assert done.returncode == 1 and str(small) in done.stderr and "Read-only" in done.stderr, done


def test_a_directory_of_somebody_else_is_named():
    with tempfile.TemporaryDirectory(prefix="causeway-other-") as place:
        data_dir, copy = pathlib.Path(place) / "data", pathlib.Path(place) / "causeway"
        pathlib.Path(place).chmod(0o755)
        data_dir.mkdir(mode=0o700)
        with Server(data_dir=str(data_dir)):
            pass
        shutil.copy(binary(), copy)
        line = ["setpriv", "--reuid=65534", "--clear-groups", str(copy), "serve", "--listen", "127.0.0.1:0"]
        line += ["--data-dir", str(data_dir)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 1 and str(data_dir) in done.stderr and "Permission denied" in done.stderr, done


def test_who_is_not_root_is_told_what_to_do():
    with tempfile.TemporaryDirectory(prefix="causeway-other-") as place:
        copy = pathlib.Path(place) / "causeway"
        pathlib.Path(place).chmod(0o777)
        shutil.copy(binary(), copy)
        line = ["setpriv", "--reuid=65534", "--clear-groups", str(copy), "serve", "--engine", "linux"]
        line += ["--listen", "127.0.0.1:0", "--data-dir", f"{place}/data"]
        done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 1 and "start it as root, or with --engine memory" in done.stderr, done
        assert not (pathlib.Path(place) / "data").exists()


def test_a_directory_has_one_service(tmp_path):
    with Server(data_dir=str(tmp_path)) as first:
        done = start(tmp_path)
        assert done.returncode == 1 and "another process" in done.stderr, done
        assert first.healthy()


def test_a_damaged_store_is_told(tmp_path):
    with Server(data_dir=str(tmp_path)) as server:
        World(Sdk(server)).customer_gateway()
        server.stop_process()
        store = tmp_path / "store.sqlite"
        store.write_bytes(b"this is no database at all" * 100)
        done = start(tmp_path)
        assert done.returncode == 1 and "store.sqlite" in done.stderr and "not a database" in done.stderr, done


def test_a_port_in_use_is_named(tmp_path):
    with Server() as first:
        line = [str(binary()), "serve", "--listen", first.address, "--data-dir", str(tmp_path)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 1 and first.address in done.stderr and "in use" in done.stderr, done
        assert first.healthy()


def test_a_start_is_waited_for(tmp_path):
    """The harness itself: a service that can't start is no service."""
    with pytest.raises(ServerFailed):
        Server(data_dir=str(tmp_path), extra=("--tls-listen", "127.0.0.1:0", "--tls-cert", "/none", "--tls-key", "/none")).start()
    until(lambda: not (tmp_path / "control.sock").exists(), what="no socket of a service that did not start")
