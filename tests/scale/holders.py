"""Who holds a socket of whom, as WhatsApp sees it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

from simulator.client import ControlClient, ControlError

LOOK_SECONDS = 0.1


class Holders(threading.Thread):
    """Looks at the simulator's connections many times a second, until it is left."""

    def __init__(self, simulator: ControlClient) -> None:
        super().__init__(name="holders", daemon=True)
        self._simulator = simulator
        self._over = threading.Event()
        self.most = 0  # logged-in connections of one device at one time
        self.fewest_online = 10**9
        self.looks = 0
        self.peak_logins = 0  # in one second
        self._logins: list[tuple[float, int]] = []
        self._before = simulator.stats()
        self.replaced = 0
        self.logouts = 0

    def run(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            try:
                found = self._simulator.connections()
                stats = self._simulator.stats()
            except ControlError:
                continue
            held = Counter(one["jid"] for one in found if one["jid"] and one["state"] == "online")
            self.looks += 1
            self.most = max(self.most, *held.values(), 0)
            self.fewest_online = min(self.fewest_online, len(held))
            self._count_logins(stats["logins"])

    def _count_logins(self, logins: int) -> None:
        now = time.monotonic()
        self._logins = [(at, n) for at, n in self._logins if at > now - 1.0]
        self._logins.append((now, logins))
        self.peak_logins = max(self.peak_logins, logins - self._logins[0][1])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self.join(10)
        after = self._simulator.stats()
        self.replaced = after["replaced"] - self._before["replaced"]
        self.logouts = after["logouts"] - self._before["logouts"]
