"""Only device 0 of the own number is the phone; its newest sign is recorded now and then."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connections import actions
from connections.actions import Fence
from connections.tests.support.traffic import call, traffic_context
from connections.worker.traffic.phone_signs import PhoneSigns, newest_sign

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def line(minutes_ago: float, phone: bool = True, **fields: Any) -> dict[str, Any]:
    """Return a line about an event of this age, which has just arrived."""
    now = int(NOW.timestamp() * 1000)
    timestamp = now - int(minutes_ago * 60_000)
    return {"kind": "message", "timestamp": timestamp, "at": now, "phone": phone, **fields}


def test_sign_has_the_time_of_the_event_and_never_a_later_one() -> None:
    lines = [line(90), line(30), line(5, phone=False), line(0, timestamp=-1), {"kind": "broken"}]
    assert newest_sign(lines) == NOW - timedelta(minutes=30)
    assert newest_sign([line(-600)]) == NOW, "a clock of WhatsApp that is ahead"
    assert newest_sign([line(1, phone=False)]) is None


def test_signs_are_written_at_most_once_in_an_hour_of_the_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[datetime] = []
    monkeypatch.setattr(actions, "record_phone_sign", lambda fence, at: written.append(at))
    task = SimpleNamespace(fence=Fence(1, 1, 1))
    context = replace(traffic_context(None), tasks=lambda: cast(Any, {1: task}), db=call)
    signs = PhoneSigns(context)

    async def run() -> None:
        for connection_id, minutes_ago in ((1, 300), (1, 250), (1, 200), (1, 280), (2, 0)):
            await signs.record(connection_id, [line(minutes_ago)])

    asyncio.run(run())
    assert written == [NOW - timedelta(minutes=300), NOW - timedelta(minutes=200)]
