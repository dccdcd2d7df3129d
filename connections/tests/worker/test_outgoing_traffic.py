"""An announced message is taken at once, by the worker of its connection alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.utils import timezone

from connections.actions import Fence
from connections.tests.support.traffic import traffic_context
from connections.tests.support.waiting import async_until
from connections.worker.hosts.answers import SendResult
from connections.worker.message_port import Outgoing, SendOutcome
from connections.worker.traffic import outgoing
from connections.worker.traffic.outgoing import OutgoingTraffic

pytestmark = pytest.mark.sqlite_only

OWN, OTHER = 7, 8


class Outboxes:
    """Has messages that wait, and notes the calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.waiting = 0
        self.free_at = timezone.now()
        self.sent: list[int] = []

    def with_outgoing(self, connection_ids: Collection[int]) -> dict[int, datetime]:
        self.calls.append("look")
        return {OWN: self.free_at} if self.waiting else {}

    def take_outgoing(self, fences: Sequence[Fence]) -> dict[int, Outgoing | datetime | None]:
        self.calls.append("take")
        (fence,) = fences
        if not self.waiting:
            return {OWN: None}
        if self.free_at > timezone.now():
            return {OWN: self.free_at}
        self.waiting -= 1
        message_id = len(self.sent) + 1
        return {OWN: Outgoing(message_id, fence, {}, others_wait=bool(self.waiting))}

    def record_outcomes(self, outcomes: Sequence[SendOutcome]) -> None:
        self.sent += [outcome.message_id for outcome in outcomes]


class Client:
    connected, ended = True, False

    async def send(self, content: object, seconds: float) -> SendResult:
        return SendResult("3EB0", 1)


@asynccontextmanager
async def sending(outboxes: Outboxes) -> AsyncIterator[OutgoingTraffic]:
    """Send from the outbox of one connection, after the look at the start."""
    task = SimpleNamespace(id=OWN, fence=Fence(OWN, 1, 1), store_name="", client=Client())
    context = replace(traffic_context(outboxes), tasks=lambda: {OWN: cast(Any, task)})
    traffic = OutgoingTraffic(context)
    running = asyncio.create_task(traffic.run())
    await async_until(lambda: outboxes.calls == ["look"], "the first look")
    outboxes.calls.clear()
    try:
        yield traffic
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@pytest.fixture(autouse=True)
def rare_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "safety_seconds", lambda: 60.0)


async def test_announced_message_takes_one_call_of_the_database() -> None:
    outboxes = Outboxes()
    async with sending(outboxes) as traffic:
        outboxes.waiting = 1
        traffic.wake(OWN)
        await async_until(lambda: outboxes.sent == [1], "the message")
        await asyncio.sleep(0.1)
        assert outboxes.calls == ["take"]


async def test_messages_behind_it_follow_without_an_announcement() -> None:
    outboxes = Outboxes()
    async with sending(outboxes) as traffic:
        outboxes.waiting = 3
        traffic.wake(OWN)
        await async_until(lambda: outboxes.sent == [1, 2, 3], "all messages")
        assert outboxes.calls == ["take"] * 3


async def test_announcement_for_another_worker_costs_nothing() -> None:
    outboxes = Outboxes()
    async with sending(outboxes) as traffic:
        traffic.wake(OTHER)
        await asyncio.sleep(0.1)
        assert outboxes.calls == []


async def test_message_leaves_when_the_gap_is_over() -> None:
    outboxes = Outboxes()
    async with sending(outboxes) as traffic:
        outboxes.waiting, outboxes.free_at = 1, timezone.now() + timedelta(seconds=0.3)
        for _ in range(3):
            traffic.wake(OWN)
            await asyncio.sleep(0.02)
        assert outboxes.calls == ["take"], "what is announced in the gap waits for its end"
        await async_until(lambda: outboxes.sent == [1], "the message")
        assert outboxes.calls == ["take", "take"]
        assert timezone.now() >= outboxes.free_at


async def test_look_finds_a_message_whose_announcement_was_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outgoing, "safety_seconds", lambda: 0.1)
    outboxes = Outboxes()
    async with sending(outboxes):
        outboxes.waiting = 1
        await async_until(lambda: outboxes.sent == [1], "the message")


async def test_look_that_is_asked_for_comes_at_once() -> None:
    outboxes = Outboxes()
    async with sending(outboxes) as traffic:
        outboxes.waiting = 1
        traffic.look()
        await async_until(lambda: outboxes.sent == [1], "the message")
