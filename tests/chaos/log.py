"""Which fault was in force when, and for whom."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass

NOT_YET = float("inf")


@dataclass
class Injected:
    """A fault; of `accounts` None it is for all. Its end is its begin if it is over at once."""

    kind: str
    begin: float
    end: float
    accounts: frozenset[int] | None = None

    def touches(self, account: int) -> bool:
        """Whether the fault is for this organization."""
        return self.accounts is None or account in self.accounts


class FaultLog:
    """Every fault that was injected; several threads write it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: list[Injected] = []

    def add(
        self, kind: str, accounts: frozenset[int] | None = None, lasts: float = 0.0
    ) -> Injected:
        """A fault that begins now. `lasts` NOT_YET: until `end` is set."""
        now = time.monotonic()
        fault = Injected(kind, now, now + lasts, accounts)
        with self._lock:
            self._all.append(fault)
        return fault

    def cut(self) -> None:
        """The simulator has ended, and its faults with it."""
        now = time.monotonic()
        with self._lock:
            for fault in self._all:
                if now < fault.end < NOT_YET:
                    fault.end = now

    def count(self) -> Counter[str]:
        """How many of each kind."""
        with self._lock:
            return Counter(fault.kind for fault in self._all)

    def last_before(self, account: int, moment: float) -> tuple[str, float] | None:
        """The fault that ended last before a moment, of those for an organization, and when.

        One that is in force at that moment counts from its beginning: it was no hindrance.
        """
        with self._lock:
            found = [fault for fault in self._all if fault.touches(account)]
        ends = [
            (fault.end if fault.end <= moment else fault.begin, fault.kind)
            for fault in found
            if fault.begin <= moment
        ]
        if not ends:
            return None
        end, kind = max(ends)
        return kind, end
