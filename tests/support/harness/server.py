"""A `causeway serve` of a test's own, on a free port, stopped whatever happens."""

import ctypes
import os
import pathlib
import re
import secrets
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from harness.waiting import PATIENCE_S

ROOT = pathlib.Path(__file__).resolve().parents[3]
PR_SET_PDEATHSIG = 1
# Suites poll; the documented limits have a test with a server that keeps them.
NO_RATE_LIMITS = "rate_limits = false\n"


class ServerFailed(RuntimeError):
    """The server did not become ready; the text holds what it printed."""


def binary() -> pathlib.Path:
    """The built server: $CAUSEWAY_BIN, or the debug build of this tree."""
    named = os.environ.get("CAUSEWAY_BIN")
    if named:
        return pathlib.Path(named)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "debug" / "causeway"


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """A running server. `port`, `key_id` and `key_secret` are what a client needs."""

    def __init__(self, config: str = NO_RATE_LIMITS, data_dir: str | None = None, extra: tuple[str, ...] = (),
                 engine: str | None = None, environment: dict[str, str] | None = None):
        self.key_id = "AKID" + secrets.token_hex(16)
        self.key_secret = secrets.token_hex(16)
        self.config = config
        self.extra = extra
        # What the server and what it starts have besides this process's environment.
        self.environment = environment or {}
        self.engine = engine or os.environ.get("CAUSEWAY_TEST_ENGINE", "memory")
        self.port = 0
        self.tls_port = 0
        # What the names of this server's namespaces start with, after `cw`; known with the Linux engine.
        self.node_tag = ""
        self._own_dir = None
        if data_dir is None:
            self._own_dir = tempfile.TemporaryDirectory(prefix="causeway-sdk-")
            data_dir = self._own_dir.name
        self.data_dir = data_dir
        self.process: subprocess.Popen | None = None
        self.lines: list[str] = []

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://{self.address}"

    def command(self) -> list[str]:
        """The command line."""
        line = [str(binary()), "serve", "--engine", self.engine, "--listen", f"127.0.0.1:{self.port}"]
        if self.engine != "memory":
            line.append("--cleanup")
        line += ["--data-dir", self.data_dir, "--dev-key", f"{self.key_id}:{self.key_secret}"]
        if self.config:
            path = pathlib.Path(self.data_dir) / "causeway.toml"
            path.write_text(self.config, encoding="utf-8")
            line += ["--config", str(path)]
        return line + list(self.extra)

    def start(self) -> "Server":
        """Starts it and waits until it is ready."""
        self.process = subprocess.Popen(
            self.command(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.environment},
            preexec_fn=_die_with_parent,
        )
        found = threading.Event()
        threading.Thread(target=self._read_ready, args=(self.process, found), daemon=True).start()
        threading.Thread(target=self._read_log, args=(self.process,), daemon=True).start()
        deadline = time.monotonic() + PATIENCE_S
        while not found.wait(0.02):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ServerFailed("no ready line; it printed:\n" + "\n".join(self.lines[-40:]))
        while not self.healthy():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ServerFailed("/healthz never said 200; it printed:\n" + "\n".join(self.lines[-40:]))
            time.sleep(0.02)
        tag = pathlib.Path(self.data_dir) / "node-tag"
        self.node_tag = tag.read_text().strip() if tag.exists() else ""
        return self

    def _read_log(self, process: subprocess.Popen) -> None:
        for line in process.stderr:
            self.lines.append(line.rstrip("\n"))

    def _read_ready(self, process: subprocess.Popen, found: threading.Event) -> None:
        for line in process.stdout:
            self.lines.append(line.rstrip("\n"))
            match = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if match and not found.is_set():
                secure = re.search(r"https://127\.0\.0\.1:(\d+)", line)
                self.tls_port = int(secure.group(1)) if secure else 0
                self.port = int(match.group(1))
                found.set()

    def healthy(self) -> bool:
        """Whether GET /healthz answers 200."""
        try:
            with urllib.request.urlopen(self.url + "/healthz", timeout=PATIENCE_S) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)

    def stop_process(self, sign: int = signal.SIGTERM) -> int:
        """An orderly end, which has to come; gives the exit status."""
        self.process.send_signal(sign)
        return self.process.wait(PATIENCE_S)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL; removes the data directory if it made it."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.kill()
        if self._own_dir:
            self._own_dir.cleanup()
            self._own_dir = None

    def ctl(self, *words: str) -> str:
        """Runs `causeway ctl …` against this server's data directory and gives what it prints."""
        return self.command_of("ctl", *words)

    def lab(self, *words: str) -> str:
        """Runs `causeway lab …` against this server's data directory and gives what it prints."""
        return self.command_of("lab", *words)

    def command_of(self, part: str, *words: str) -> str:
        """Runs a command of the binary against this server's data directory and gives what it prints."""
        line = [str(binary()), part, "--data-dir", self.data_dir, *words]
        done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        if done.returncode != 0:
            raise ServerFailed(f"{' '.join(line[1:])} exited {done.returncode}: {done.stderr or done.stdout}")
        return done.stdout

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(self, *_exc) -> None:
        self.stop()
