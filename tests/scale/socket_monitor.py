"""Monitor the sockets that WhatsApp sees."""

from __future__ import annotations

import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

from simulator.client import ControlClient, ControlError

POLL_SECONDS = 0.1


class SocketMonitor(threading.Thread):
    """Polls the simulator's connections many times a second, as a context manager."""

    def __init__(self, simulator: ControlClient) -> None:
        super().__init__(name="socket monitor", daemon=True)
        self._simulator = simulator
        self._stopped = threading.Event()
        self.max_per_device = 0  # maximum of parallel connections of one device
        self.min_online = 10**9
        self.polls = 0
        self.peak_logins = 0  # in one second
        self._logins: list[tuple[float, int]] = []
        self._before = simulator.stats()
        self.replaced = 0
        self.logouts = 0

    def run(self) -> None:
        while not self._stopped.wait(POLL_SECONDS):
            try:
                found = self._simulator.connections()
                stats = self._simulator.stats()
            except ControlError:
                continue
            held = Counter(one["jid"] for one in found if one["jid"] and one["state"] == "online")
            self.polls += 1
            self.max_per_device = max(self.max_per_device, *held.values(), 0)
            self.min_online = min(self.min_online, len(held))
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
        self._stopped.set()
        self.join(10)
        after = self._simulator.stats()
        self.replaced = after["replaced"] - self._before["replaced"]
        self.logouts = after["logouts"] - self._before["logouts"]
