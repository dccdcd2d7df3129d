"""Where a code is shown: the terminal's second screen, which leaves nothing to scroll back to."""

from __future__ import annotations

import os
import unicodedata
from types import TracebackType
from typing import Self, TextIO

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
HOME, CLEAR = "\x1b[H", "\x1b[2J"
DEFAULT_SIZE = os.terminal_size((80, 24))


class Screen:
    """The second screen of a terminal. A context manager that leaves it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown: tuple[os.terminal_size, list[str]] | None = None

    @property
    def usable(self) -> bool:
        """Whether the output is a terminal on which lines can be drawn again."""
        return self._stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    @property
    def coloured(self) -> bool:
        return not os.environ.get("NO_COLOR")

    @property
    def size(self) -> os.terminal_size:
        try:
            found = os.get_terminal_size(self._stream.fileno())
        except OSError:
            return DEFAULT_SIZE
        return found if found.columns and found.lines else DEFAULT_SIZE

    def show(self, lines: list[str]) -> None:
        """Show these lines alone; nothing is written if they are shown already."""
        size = self.size
        if self._shown == (size, lines):
            return
        begin = ENTER if self._shown is None else ""
        self._shown = (size, lines)
        self._stream.write(begin + HOME + CLEAR + "\r\n".join(lines))
        self._stream.flush()

    def leave(self) -> None:
        """Go back to what the terminal showed before."""
        if self._shown is not None:
            self._shown = None
            self._stream.write(LEAVE)
            self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()


def clipped(text: str, columns: int) -> str:
    """Return as much of a text as fits into one line."""
    used = 0
    for index, character in enumerate(text):
        used += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if used > columns:
            return text[:index]
    return text
