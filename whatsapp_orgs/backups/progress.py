"""Shows in the terminal what a backup or a restore is doing."""

from __future__ import annotations

import time
from typing import TextIO

SECONDS_BETWEEN = 0.2


class Progress:
    """Writes a line for each step; in a terminal the last line counts on meanwhile."""

    def __init__(self, out: TextIO | None) -> None:
        self._out = out
        self._counts = out is not None and out.isatty()
        self._written_at = 0.0
        self._step = ""

    def step(self, text: str) -> None:
        """Begin a step, such as "database"."""
        self.end()
        self._step = text
        if self._out is not None and not self._counts:
            self._out.write(f"{text}\n")
            self._out.flush()

    def count(self, done: int, total: int, what: str = "") -> None:
        """Say how much of the step is done."""
        now = time.monotonic()
        if self._counts and (now - self._written_at > SECONDS_BETWEEN or done == total):
            self._written_at = now
            of = f" of {total:,}" if total else ""
            self._show(f"{self._step}: {done:,}{of} {what}".rstrip())

    def end(self) -> None:
        """End the last step's line."""
        if self._counts and self._step:
            self._show(self._step)
            assert self._out is not None
            self._out.write("\n")
            self._out.flush()
        self._step = ""

    def _show(self, text: str) -> None:
        assert self._out is not None
        self._out.write(f"\r\x1b[K{text}")
        self._out.flush()
