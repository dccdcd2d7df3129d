"""An announced message is taken at once, by the worker of its connection alone.

A message that takes long keeps its outcome, and makes no other one late.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.utils import timezone
from pytest_django import Settings

from connections.actions import Fence
from connections.tests.support.fake_stores import FakeStores
from connections.tests.support.skipping_time import run_skipping_time
from connections.tests.support.traffic import traffic_context
from connections.tests.support.waiting import async_until
from connections.worker.hosts import client as client_module
from connections.worker.hosts.answers import SendResult
from connections.worker.hosts.client import ClientHandle
from connections.worker.message_port import Interrupted, Outgoing, SendOutcome
from connections.worker.traffic import outgoing
from connections.worker.traffic.outgoing import OutgoingTraffic
from connections.worker.traffic.sending import STALLED_SECONDS

pytestmark = pytest.mark.sqlite_only

OWN, OTHER = 7, 8


class Outboxes:
    """Has messages that wait, and notes the calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.waiting = 0
        self.free_at = timezone.now()
        self.sent: list[int] = []
        self.outcomes: list[tuple[int, str, str]] = []  # message, id, error
        self.media = ""
        self.left: list[Interrupted] = []
        self.found: list[tuple[int, str | None]] = []

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
        content = {"type": "image", "image": {}, "secret": ""}
        others = bool(self.waiting)
        return {OWN: Outgoing(message_id, fence, content, media=self.media, others_wait=others)}

    def record_outcomes(self, outcomes: Sequence[SendOutcome]) -> None:
        self.sent += [outcome.message_id for outcome in outcomes if outcome.final]
        self.outcomes += [(found.message_id, found.whatsapp_id, found.error) for found in outcomes]

    def read_media(self, name: str) -> Iterator[bytes]:
        return iter([b"picture"])

    def interrupted(
        self, worker_id: int, in_flight: Collection[int], looked_up: Collection[int]
    ) -> list[Interrupted]:
        return [found for found in self.left if found.message_id not in looked_up]

    def record_interrupted(self, message: Interrupted, whatsapp_id: str | None) -> None:
        self.found.append((message.message_id, whatsapp_id))


class Client:
    connected, ended = True, False

    async def send(self, content: object, on_uploaded: object) -> SendResult:
        return SendResult("3EB0", 1)


class Host:
    """Takes the commands of one client, and answers when a test says so."""

    pid, client_count, stuck, must_stay = 1, 1, False, False

    def __init__(self) -> None:
        self.orphaned_stores: set[str] = set()
        self.sends: list[str] = []
        self.client = ClientHandle(self, 1, "")
        self.client.connected = True

    def send(self, command: Mapping[str, Any]) -> None:
        if command["do"] == "send":
            self.sends.append(command["send"])

    def forget(self, ref: int) -> None: ...

    def kill(self, why: str = "") -> None: ...

    def answer(self, event: str, **fields: object) -> None:
        """Answer the last message that was handed to the library."""
        self.client.receive({"event": event, "send": self.sends[-1], **fields})

    def accept(self, whatsapp_id: str) -> None:
        answer = {"id": whatsapp_id, "at": 1, "error": "", "code": 0, "maybe_sent": False}
        self.answer("send_done", **answer)


@asynccontextmanager
async def sending(outboxes: Outboxes, client: object = None) -> AsyncIterator[OutgoingTraffic]:
    """Send from the outbox of one connection, after the look at the start."""
    found = client or Client()
    task = SimpleNamespace(id=OWN, fence=Fence(OWN, 1, 1), store_name="", client=found)
    context = traffic_context(outboxes, FakeStores())
    context = replace(context, tasks=lambda: {OWN: cast(Any, task)})
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


def test_answer_after_minutes_is_the_outcome_and_the_next_message_begins_anew() -> None:
    outboxes, host = Outboxes(), Host()

    async def scenario() -> None:
        async with sending(outboxes, host.client) as traffic:
            outboxes.waiting = 2
            traffic.wake(OWN)
            await asyncio.sleep(130)
            assert outboxes.outcomes == [(1, "", "timed_out")]
            assert len(host.sends) == 1, "the next one waits in the outbox, and may still expire"
            host.accept("3EB01")
            await asyncio.sleep(29)
            assert outboxes.outcomes[1:] == [(1, "3EB01", "")]
            host.accept("3EB02")
            await asyncio.sleep(1)
            assert outboxes.outcomes[2:] == [(2, "3EB02", "")]

    run_skipping_time(scenario)


def test_deadline_begins_after_the_upload(tmp_path: Path, settings: Settings) -> None:
    settings.DATA_DIR = tmp_path
    outboxes, host = Outboxes(), Host()

    async def scenario() -> None:
        async with sending(outboxes, host.client) as traffic:
            outboxes.waiting, outboxes.media = 1, "a file"
            traffic.wake(OWN)
            await asyncio.sleep(130)
            host.answer("uploaded")
            await asyncio.sleep(29)
            assert outboxes.outcomes == []
            await asyncio.sleep(2)
            assert outboxes.outcomes == [(1, "", "timed_out")]
            host.accept("3EB01")
            await asyncio.sleep(1)
            assert outboxes.outcomes[1:] == [(1, "3EB01", "")]

    run_skipping_time(scenario)


@pytest.mark.parametrize("media", ["", "a file"])
def test_call_that_never_ends_is_ended_with_its_client(
    media: str, tmp_path: Path, settings: Settings
) -> None:
    settings.DATA_DIR = tmp_path
    outboxes, host = Outboxes(), Host()

    async def scenario() -> None:
        async with sending(outboxes, host.client) as traffic:
            outboxes.waiting, outboxes.media = 1, media
            traffic.wake(OWN)
            event = await host.client.next(STALLED_SECONDS + 5)
            assert event["event"] == "move"
            host.client.receive({"event": "ended", "error": "", "cause": "stopped"})
            await asyncio.sleep(1)
            assert outboxes.outcomes[-1] == (1, "", "lost")

    run_skipping_time(scenario)


async def test_call_of_a_client_whose_host_is_killed_at_its_end_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody passes its events on any more."""
    monkeypatch.setattr(client_module, "CLOSE_SECONDS", 0.01)
    host = Host()
    waiting = asyncio.create_task(host.client.send({}))
    await asyncio.sleep(0)
    await host.client.close()
    assert await waiting == SendResult(error="lost", maybe_sent=True)


def test_message_that_stays_unknown_is_looked_up_once() -> None:
    outboxes = Outboxes()
    outboxes.left = [Interrupted(1, OWN, "", b"", unknown=True)]
    context = traffic_context(outboxes, FakeStores())
    context = replace(context, get_worker=lambda: cast(Any, SimpleNamespace(pk=1)))
    traffic = OutgoingTraffic(context)

    async def scenario() -> None:
        for _ in range(3):
            await traffic.recover()

    run_skipping_time(scenario)
    assert outboxes.found == [(1, "")]
