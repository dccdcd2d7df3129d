"""Record the times and the organizations of faults."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass

UNTIL_ENDED = float("inf")


@dataclass
class InjectedFault:
    """An injected fault. `accounts`: None for all. A momentary fault ends at its begin."""

    kind: str
    begin: float
    end: float
    accounts: frozenset[int] | None = None

    def affects(self, account: int) -> bool:
        """Return whether the fault is for this organization."""
        return self.accounts is None or account in self.accounts


class FaultLog:
    """Records all injected faults. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: list[InjectedFault] = []

    def add(
        self, kind: str, accounts: frozenset[int] | None = None, seconds: float = 0.0
    ) -> InjectedFault:
        """Record a fault that begins now. With UNTIL_ENDED, set `end` later."""
        now = time.monotonic()
        fault = InjectedFault(kind, now, now + seconds, accounts)
        with self._lock:
            self._all.append(fault)
        return fault

    def end_all(self) -> None:
        """End the current faults of the simulator, because it has ended."""
        now = time.monotonic()
        with self._lock:
            for fault in self._all:
                if now < fault.end < UNTIL_ENDED:
                    fault.end = now

    def count(self) -> Counter[str]:
        """Return the number of faults of each kind."""
        with self._lock:
            return Counter(fault.kind for fault in self._all)

    def last_before(self, account: int, moment: float) -> tuple[str, float] | None:
        """Return the last fault of an organization that ended before a moment, and its end.

        A fault that is active at that moment counts by its begin: it did not prevent recovery.
        """
        with self._lock:
            found = [fault for fault in self._all if fault.affects(account)]
        ends = [
            (fault.end if fault.end <= moment else fault.begin, fault.kind)
            for fault in found
            if fault.begin <= moment
        ]
        if not ends:
            return None
        end, kind = max(ends)
        return kind, end
