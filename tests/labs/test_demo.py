"""The demo, broken off by Ctrl-C at every stage, leaves nothing behind."""

import pathlib
import signal
import subprocess
import time

import pytest

from harness.lab import namespaces, why_not
from harness.server import binary
from harness.waiting import PATIENCE_S, until


def processes(mark: str) -> list[str]:
    """The command lines that hold a text."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_text().replace("\0", " ")
        except OSError:
            continue
        if mark in line:
            found.append(line)
    return found


def start(data_dir: pathlib.Path, engine: str) -> subprocess.Popen:
    """The demo, whose every line can be read as it comes."""
    line = [str(binary()), "demo", "--engine", engine, "--data-dir", str(data_dir)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def assert_nothing_left(data_dir: pathlib.Path) -> None:
    """Neither a process, a namespace nor a run directory."""
    until(lambda: not processes(str(data_dir)), what=f"the end of {processes(str(data_dir))}")
    tag = data_dir / "node-tag"
    if tag.exists():
        name = tag.read_text().strip()
        assert [it for it in namespaces() if it.startswith(f"cw{name}-")] == []
        assert list(pathlib.Path("/run/causeway").glob(f"{name}*")) == []


def catches(process: subprocess.Popen, sign: signal.Signals) -> bool:
    """Whether a process has come to where it listens to a signal."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (sign - 1) & 1)


# Seconds: while the service starts, and while each API's part is built and carries traffic.
@pytest.mark.parametrize("after", [0.01, 0.03, 0.06, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 3.0, 7.5])
@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_ctrl_c_leaves_nothing(tmp_path, after):
    data_dir = tmp_path / "data"
    demo = start(data_dir, "linux")
    try:
        time.sleep(after)
        listens = catches(demo, signal.SIGINT)
        demo.send_signal(signal.SIGINT)
        said, _ = demo.communicate(timeout=PATIENCE_S)
    finally:
        demo.kill()
        demo.wait()
    # Before the program has come to where it listens, the signal ends it.
    assert demo.returncode in ((0,) if listens else (0, -signal.SIGINT)), said
    assert_nothing_left(data_dir)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_after_the_summary_ends_it_in_order(tmp_path, sign):
    data_dir = tmp_path / "data"
    demo = start(data_dir, "memory")
    try:
        for line in demo.stdout:
            if "until you press Ctrl-C" in line:
                break
        demo.send_signal(sign)
        said, _ = demo.communicate(timeout=PATIENCE_S)
    finally:
        demo.kill()
        demo.wait()
    assert demo.returncode == 0, said
    assert_nothing_left(data_dir)


def test_a_closed_output_ends_it_in_order(tmp_path):
    data_dir = tmp_path / "data"
    demo = start(data_dir, "memory")
    demo.stdout.readline()
    demo.stdout.close()
    try:
        assert demo.wait(PATIENCE_S) == 1
    finally:
        demo.kill()
        demo.wait()
    assert_nothing_left(data_dir)
