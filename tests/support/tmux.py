"""A window of tmux in which a command of a running product runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.application import ROOT, Application

SECONDS = 10.0


class Window:
    """A terminal of so many characters. A context manager that closes it.

    It shows "EXIT" and the exit code once the command has ended.
    """

    def __init__(
        self, application: Application, folder: Path, columns: int, lines: int, *arguments: str
    ) -> None:
        tmux = shutil.which("tmux")
        assert tmux, "tmux is not installed"
        self._tmux = [tmux, "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self._environment = {**application.environment, "LC_ALL": "C.UTF-8"}
        self._environment.pop("NO_COLOR", None)
        command = [sys.executable, "manage.py", *arguments]
        # Alive after the command, also after a Ctrl-C, so that its end can be read.
        script = 'trap : INT; "$@"; echo "EXIT $?"; exec sleep 600'
        size = ("-x", str(columns), "-y", str(lines))
        self._start: Sequence[str] = (
            *("new-session", "-d", *size, "-s", "test"),
            *("sh", "-c", script, "sh", *command),
        )

    def _call(self, *arguments: str) -> str:
        completed = subprocess.run(
            [*self._tmux, *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=SECONDS,
        )
        return completed.stdout

    def text(self, *, colours: bool = True, scrolled: bool = False) -> str:
        """Return what the window shows; `scrolled`: and what has left it at the top."""
        options = ["-e"] * colours + ["-S", "-"] * scrolled
        return self._call("capture-pane", "-p", "-N", *options, "-t", "test")

    def resize(self, columns: int, lines: int) -> None:
        self._call("resize-window", "-t", "test", "-x", str(columns), "-y", str(lines))

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names of them, such as C-c."""
        self._call("send-keys", "-t", "test", *keys)

    def __enter__(self) -> Self:
        self._call(*self._start)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._call("kill-server")
