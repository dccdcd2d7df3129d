"""Tracks which of WhatsApp's QR codes is shown, and for how long."""

from __future__ import annotations

from connections.code_lifetimes import FULL_SET, qr_code_seconds, seconds_to_the_last


class Rotation:
    """The QR codes of one connection, as the library shows them.

    WhatsApp may replace the secret in all of them (`companion_reg_refresh`). Then the library shows
    the same code again, with a new secret and for its full time.
    """

    def __init__(self) -> None:
        self.number = 0  # of the current code, from 1
        self._count = FULL_SET
        self._reference = ""

    @property
    def count(self) -> int:
        """Return how many codes there are, as far as is known."""
        return max(self._count, self.number)

    @property
    def seconds(self) -> int:
        """Return for how many seconds a code that has just been shown is valid."""
        return qr_code_seconds(self.number, self.count)

    @property
    def seconds_in_all(self) -> int:
        """Return how many seconds the connection lasts, from a code that has just been shown."""
        return seconds_to_the_last(self.number, self.count)

    def announce(self, count: int) -> None:
        """Start a new set of so many codes."""
        self._count, self.number, self._reference = count, 0, ""

    def show(self, code: str) -> None:
        """Record a shown code: the next one, or the same one with a new secret."""
        reference = code.rpartition("#")[2].partition(",")[0]
        if reference != self._reference:
            self.number += 1
        self._reference = reference
