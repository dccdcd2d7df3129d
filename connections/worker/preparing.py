"""Making stores' tables from a process that must not load the Go library itself."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from types import TracebackType
from typing import Self

from django.conf import settings

from connections.worker.child_environment import child_environment

PREPARE_SECONDS = 60.0


class Preparer:
    """Prepares one store after the other in a process of its own, as a context manager."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __call__(self, address: str) -> str:
        """Make a store's tables, or bring them up to date. Returns what failed, "" if nothing."""
        assert self._process is not None
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(address) + "\n")
            self._process.stdin.flush()
            if not select.select([self._process.stdout], [], [], PREPARE_SECONDS)[0]:
                return "the store could not be opened in time"
            return str(json.loads(self._process.stdout.readline()))
        except (BrokenPipeError, json.JSONDecodeError):
            return "the process that opens stores has ended"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "connections.worker.prepare_stores"],
            cwd=settings.BASE_DIR,
            env=child_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
