"""Start and stop the simulator as a child process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .client import ControlClient
from .files import private_directory

READY_SECONDS = 20.0
STOP_SECONDS = 5.0
_POLL_SECONDS = 0.02
_ROOT = Path(__file__).resolve().parent.parent


class SimulatorError(Exception):
    """The simulator did not start; the message has the end of its log."""


class Simulator:
    """A running simulator process; the context manager stops it."""

    def __init__(self, process: subprocess.Popen[bytes], ready: dict[str, Any]) -> None:
        self.process = process
        self.proxy_url: str = ready["proxy_url"]
        self.control_url: str = ready["control_url"]
        self.hooks_url: str = ready["hooks_url"]
        self.ca_file: str = ready["ca_file"]
        self.noise_root = bytes.fromhex(ready["noise_root"])
        self.control = ControlClient(self.control_url)

    def environment(self) -> dict[str, str]:
        """Return the environment variables for a client process."""
        return {
            "HTTPS_PROXY": self.proxy_url,
            "https_proxy": self.proxy_url,
            "SSL_CERT_FILE": self.ca_file,
        }

    def stop(self) -> None:
        """Stop the process with SIGTERM, and kill it when it does not stop in 5 s."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill the process with SIGKILL; its state directory can be used again."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start(
    state_dir: Path | str,
    *,
    port: int = 0,
    control_port: int = 0,
    refs: int | None = None,
    parent_pid: int | None = None,
    verbose: bool = False,
) -> Simulator:
    """Start the simulator on a state directory and wait until it is ready.

    It stops when `parent_pid` (by default this process) ends. Its output goes to `simulator.log`
    in the state directory. Raises SimulatorError when it is not ready in 20 s.
    """
    state = private_directory(Path(state_dir))
    command = [sys.executable, "-m", "simulator", "--state", str(state.resolve())]
    command += ["--port", str(port), "--control-port", str(control_port)]
    command += ["--parent-pid", str(parent_pid or os.getpid())]
    command += ["--refs", str(refs)] if refs is not None else []
    command += ["--verbose"] if verbose else []
    log = os.open(state / "simulator.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            command,
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl+C in the terminal signals only the parent, which stops this process.
            start_new_session=True,
        )
    finally:
        os.close(log)
    return Simulator(process, _wait_ready(process, state))


def _wait_ready(process: subprocess.Popen[bytes], state: Path) -> dict[str, Any]:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        ready = _read_ready(state)
        if ready.get("pid") == process.pid:
            return ready
        time.sleep(_POLL_SECONDS)
    if process.poll() is None:
        process.kill()
        process.wait(STOP_SECONDS)
    tail = (state / "simulator.log").read_text()[-2000:]
    raise SimulatorError(f"the simulator did not start:\n{tail}")


def _read_ready(state: Path) -> dict[str, Any]:
    """Return the content of `simulator.json`, empty while it is missing or invalid."""
    try:
        ready = json.loads((state / "simulator.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return ready if isinstance(ready, dict) else {}
