"""A `manage.py` process of the product with its data folder and its children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent.parent
# The longest time from the end of a process to the end of its children.
GONE_SECONDS = 15.0


def until(look: Callable[[], Any], seconds: float, what: str, longest_pause: float = 0.25) -> Any:
    """Return the first true result of `look`. Raises AssertionError after `seconds`.

    Most looks are requests. A long wait asks less often: 30 requests a second keep a third of a
    core busy. The pause is a tenth of the wait so far, and `longest_pause` seconds at most.
    """
    started_at = time.monotonic()
    while not (found := look()):
        waited = time.monotonic() - started_at
        assert waited < seconds, f"not within {seconds:g} s: {what}"
        time.sleep(min(0.02 + waited / 10, longest_pause))
    return found


def processes_of(folder: Path) -> set[int]:
    """Return the pids of all processes with this data folder."""
    mark = f"DATA_DIR={folder}\0".encode()
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes():
                found.add(int(path.parent.name))
        except OSError:
            continue  # It ended meanwhile, or belongs to another user.
    return found


class ManagedProcess:
    """Starts, stops and kills the process. `environment` must have DATA_DIR.

    `prefix`: a command before its own, which must end in exec.
    """

    stop_seconds = 15.0

    def __init__(
        self,
        data_dir: Path,
        command: Sequence[str],
        environment: dict[str, str],
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.data_dir = data_dir
        self.environment = environment
        self.log = data_dir / "log.txt"
        self.process: subprocess.Popen[bytes] | None = None
        self._command = command
        self._prefix = prefix

    def start(self) -> Self:
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._prefix, sys.executable, "manage.py", *self._command],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def processes(self) -> set[int]:
        """Return the pids of all processes with this data folder."""
        return processes_of(self.data_dir)

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """Kill it with SIGKILL, and wait until its children have ended."""
        self._end(signal.SIGKILL)

    def kill_all(self) -> None:
        """Kill the process and its children with SIGKILL."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait(self.stop_seconds)

    def stop(self) -> int | None:
        """Stop it with SIGTERM, and wait until its children have ended. Returns the exit code."""
        self._end(signal.SIGTERM)
        return None if self.process is None else self.process.returncode

    def _end(self, how: signal.Signals) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(how)
        self.process.wait(self.stop_seconds)
        until(lambda: not self.processes(), GONE_SECONDS, f"no process left after {how.name}")
