"""Faults of WhatsApp and the way to it, which the simulator has: its README names the kinds."""

from __future__ import annotations

from functools import partial
from typing import Any

from simulator.client import ControlClient
from tests.support.faults import Fault


class WhatsAppFault(Fault):
    """A fault that is armed at the simulator: for one number, for one connection, or for all.

    `count`: how often it happens at most. `seconds`: it ends by itself, even if nobody ends it.
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
        """How many more times it would happen."""
        (found,) = (armed for armed in self._simulator.faults() if armed["id"] == self._id)
        return int(found["count"])
