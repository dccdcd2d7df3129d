"""Finds the signs of phones in what WhatsApp brought, and records them now and then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from connections import actions
from connections.worker.message_port import Record
from connections.worker.traffic.context import TrafficContext


class PhoneSigns:
    """Records the newest sign of each phone, at most once in an hour of signs."""

    def __init__(self, context: TrafficContext) -> None:
        self._context = context
        self._recorded: dict[int, datetime] = {}

    async def record(self, connection_id: int, lines: Sequence[Record]) -> None:
        """Record the newest sign in these lines, if this worker owns the connection."""
        at = newest_sign(lines)
        task = self._context.tasks().get(connection_id)
        if at is None or task is None:
            return
        recorded = self._recorded.get(connection_id)
        if recorded is not None and at < recorded + actions.PHONE_SIGN_STEP:
            return
        await self._context.db(actions.record_phone_sign, task.fence, at)
        self._recorded[connection_id] = at


def newest_sign(lines: Sequence[Record]) -> datetime | None:
    """Return when the phone showed its newest sign in these lines, None without any.

    That is WhatsApp's time of the event: it may have waited there for days.
    """
    times = [
        min(line["timestamp"], line["at"])
        for line in lines
        if line.get("phone") and line.get("timestamp", 0) > 0
    ]
    return datetime.fromtimestamp(max(times) / 1000, UTC) if times else None
