"""A network namespace that can be cut off silently."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.application import ROOT, until


def can_create_namespace() -> bool:
    """Return whether network namespaces can be created here."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        return False
    name = f"probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "delete", name], check=True)
    return made


class Namespace:
    """A network namespace with access to some ports of the real loopback."""

    def __init__(self, *ports: int) -> None:
        self.name = f"scale-{os.getpid()}"
        self._ports = [str(port) for port in ports]
        # A Unix socket's path must be short.
        self._folder = Path(tempfile.mkdtemp(prefix="carry-"))
        self._forwarders: list[subprocess.Popen[bytes]] = []

    @property
    def prefix(self) -> tuple[str, ...]:
        """The prefix of a command that runs inside."""
        return ("ip", "netns", "exec", self.name)

    def cut(self) -> None:
        """Drop all packets silently."""
        self._link("down")

    def restore(self) -> None:
        self._link("up")

    def _link(self, how: str) -> None:
        subprocess.run([*self.prefix, "ip", "link", "set", "lo", how], check=True)

    def __enter__(self) -> Self:
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.restore()
        for side, prefix in (("outside", ()), ("inside", self.prefix)):
            module = [sys.executable, "-m", "tests.support.forward", side, str(self._folder)]
            self._forwarders.append(subprocess.Popen([*prefix, *module, *self._ports], cwd=ROOT))
            ready = self._folder / f"{side}.ready"
            until(ready.exists, 20, f"the carrier {side}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for forwarder in self._forwarders:
            forwarder.kill()
            forwarder.wait(10)
        subprocess.run(["ip", "netns", "delete", self.name], check=True)
        shutil.rmtree(self._folder, ignore_errors=True)
