"""Faults of WhatsApp and its network, by the simulator; its README lists the kinds."""

from __future__ import annotations

from functools import partial
from typing import Any

from simulator.client import ControlClient
from tests.support.faults import Fault


class WhatsAppFault(Fault):
    """A fault of the simulator for a number, a connection or all.

    `count`: the maximum number of times. `seconds`: when it ends by itself.
    """

    def __init__(
        self,
        simulator: ControlClient,
        kind: str,
        *,
        number: str = "",
        connection: str = "",
        count: int | None = None,
        seconds: float | None = None,
        **params: Any,
    ) -> None:
        reason = params.get("reason")
        super().__init__(f"{kind} {reason}" if reason else kind)
        self._simulator = simulator
        self._id = ""
        scope: dict[str, Any] = {
            "number": number,
            "connection": connection,
            "seconds": seconds,
            "count": count,
        }
        self._arm = partial(simulator.arm, kind, **scope, **params)

    def start(self) -> None:
        self._id = self._arm()

    def end(self) -> None:
        self._simulator.clear_faults(self._id)

    def count_left(self) -> int:
        """Return how many times are left."""
        (found,) = (armed for armed in self._simulator.faults() if armed["id"] == self._id)
        return int(found["count"])
