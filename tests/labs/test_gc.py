"""`causeway ctl gc` removes what nobody will come back for, and nothing else: of the running service what its store does
not know, and everything of services whose data directory is gone."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from harness.lab import assert_nothing_left, namespaces, namespaces_of, why_not
from harness.server import Server, ServerFailed, binary
from harness.sites import HOST, Lab, counted
from harness.waiting import PATIENCE_S, until

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

RUN_ROOT = pathlib.Path("/run/causeway")


def processes_in(prefix: str) -> list[int]:
    """The processes in the namespaces whose names begin so."""
    found = []
    for name in namespaces():
        if name.startswith(prefix):
            listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
            found += [int(pid) for pid in listed.stdout.split()]
    return found


def alive(pid: int) -> bool:
    """Whether a process is there, and is more than an exit status that nobody took."""
    try:
        return " Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@pytest.fixture
def stranger(tmp_path):
    """A service with a gateway that was killed, and what it left."""
    server = Server(engine="linux", data_dir=str(tmp_path / "data"))
    pathlib.Path(server.data_dir).mkdir(mode=0o700)
    server.start()
    made = Lab(server)
    processes = processes_in(f"cw{server.node_tag}-")
    assert len(processes) >= 2, "a keeper and a charon"
    server.kill()
    yield server, processes
    if (RUN_ROOT / server.node_tag).exists() or namespaces_of(server):
        gc("--node", server.node_tag)
    del made


def gc(*words: str, data_dir: str = "/nonexistent/causeway") -> dict:
    """What gc says."""
    line = [str(binary()), "ctl", "gc", "--data-dir", data_dir, *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_the_store_does_not_know_goes(lab):
    """Names that no store ever gave: the service itself does not look after them."""
    server = lab.server
    before = namespaces_of(server)
    prefix = f"cw{server.node_tag}"
    for name in (f"{prefix}-gw-stray-0", f"{prefix}-net-stray"):
        subprocess.run(["ip", "netns", "add", name], check=True, timeout=PATIENCE_S)
    sleeper = subprocess.Popen(["ip", "netns", "exec", f"{prefix}-gw-stray-0", "sleep", "600"])
    other = f"cwother-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", other], check=True, timeout=PATIENCE_S)
    try:
        said = json.loads(server.ctl("gc"))
        assert sorted(said["removed"]) == ["gateway stray", "network stray"]
        assert said["stayed"] == []
        assert namespaces_of(server) == before
        assert sleeper.wait(PATIENCE_S) != 0, "who is in an orphan ends with it"
        assert other in namespaces(), "a namespace of somebody else"
        assert json.loads(server.ctl("gc"))["removed"] == [], "nothing is left to do"
    finally:
        sleeper.kill()
        sleeper.wait()
        subprocess.run(["ip", "netns", "del", other], check=True, timeout=PATIENCE_S)
    assert lab.ping("east-host", HOST) == (5, 5)


def test_what_a_store_knew_once_goes_by_itself(lab):
    """A namespace of a gateway that is no more, found while the service runs."""
    stray = f"cw{lab.server.node_tag}-gw-0000000000zz-0"
    subprocess.run(["ip", "netns", "add", stray], check=True, timeout=PATIENCE_S)
    until(lambda: stray not in namespaces(), what="the end of a stray namespace")


def test_a_service_that_will_be_started_again_is_left_alone(lab, stranger):
    server, processes = stranger
    said = json.loads(lab.server.ctl("gc"))
    assert server.node_tag not in said["nodes"]
    assert all(alive(pid) for pid in processes) and namespaces_of(server)
    server.start()
    server.stop()
    assert_nothing_left(server)


def test_a_service_whose_directory_is_gone_leaves_nothing(lab, stranger):
    server, processes = stranger
    shutil.rmtree(server.data_dir)
    running = lab.start_ping("east-host", HOST, 150)
    assert server.node_tag in gc()["nodes"]
    assert_nothing_left(server)
    assert not list(RUN_ROOT.glob(f"{server.node_tag}*"))
    assert not any(alive(pid) for pid in processes)
    assert counted(running) == (150, 150), "a neighbour notices nothing"
    assert namespaces_of(lab.server)


def test_a_namespace_without_a_name_is_found_by_its_keeper(stranger):
    server, processes = stranger
    shutil.rmtree(server.data_dir)
    for name in namespaces_of(server):
        subprocess.run(["ip", "netns", "del", name], check=True, timeout=PATIENCE_S)
    assert server.node_tag in gc()["nodes"]
    until(lambda: not any(alive(pid) for pid in processes), what="the end of its processes")
    assert_nothing_left(server)


def test_a_node_of_nobody_is_named_and_removed_on_request(stranger):
    server, processes = stranger
    shutil.rmtree(server.data_dir)
    (RUN_ROOT / f"{server.node_tag}.owner").unlink()
    said = gc()
    assert server.node_tag in said["unknown_nodes"]["tags"] and server.node_tag not in said["nodes"]
    assert all(alive(pid) for pid in processes)
    assert gc("--node", server.node_tag)["nodes"] == [server.node_tag]
    assert_nothing_left(server)


def test_a_node_that_runs_is_not_removed(lab):
    with pytest.raises(ServerFailed, match="another engine has"):
        lab.server.ctl("gc", "--node", lab.server.node_tag)
    assert lab.ping("east-host", HOST) == (5, 5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_who_is_not_root_is_told(tmp_path):
    line = ["setpriv", "--reuid=65534", "--clear-groups", str(binary()), "ctl", "gc", "--data-dir", str(tmp_path)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 1 and "needs root" in done.stderr, done
