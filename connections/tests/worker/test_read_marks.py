"""A read mark is pending until WhatsApp has taken it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connections.tests.support.traffic import traffic_context
from connections.tests.support.virtual_time import run_in_virtual_time
from connections.worker.message_port import ReadMark
from connections.worker.traffic import signals
from connections.worker.traffic.signals import Signals

pytestmark = pytest.mark.sqlite_only

A, B = 7, 8
ANA, BEA = "1@lid", "2@lid"
HANGS = "hangs"


def mark(number: int, connection: int = A, chat: str = ANA) -> ReadMark:
    return ReadMark(number, connection, f"3EB0{number}", chat, chat, False)


class Marks:
    """Has marks that are pending."""

    def __init__(self, *marks: ReadMark) -> None:
        self.pending = list(marks)

    def pending_marks(self, connection_ids: Collection[int]) -> list[ReadMark]:
        return [mark for mark in self.pending if mark.connection_id in connection_ids]

    def end_marks(self, marks: Sequence[ReadMark]) -> None:
        self.pending = [mark for mark in self.pending if mark not in marks]

    @property
    def ids(self) -> list[int]:
        return [mark.message_id for mark in self.pending]


class Client:
    """Answers with an error for each chat that has one."""

    connected = True

    def __init__(self, errors: Mapping[str, str] | None = None) -> None:
        self.errors = dict(errors or {})
        self.calls: list[tuple[str, list[str]]] = []

    async def mark_read(
        self, ids: list[str], chat: str, sender: str, played: bool, seconds: float
    ) -> str:
        self.calls.append((chat, ids))
        error = self.errors.get(chat, "")
        if error == HANGS:
            await asyncio.sleep(seconds)
            return "timed_out"
        return error


@asynccontextmanager
async def telling(marks: Marks, clients: dict[int, Client]) -> AsyncIterator[Signals]:
    tasks = {pk: SimpleNamespace(client=client) for pk, client in clients.items()}
    traffic = Signals(replace(traffic_context(marks), tasks=lambda: cast(Any, tasks)))
    running = asyncio.create_task(traffic.run())
    try:
        yield traffic
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def test_marks_of_one_chat_are_told_together_and_end() -> None:
    marks, client = Marks(mark(1), mark(2, chat=BEA), mark(3)), Client()

    async def run() -> None:
        async with telling(marks, {A: client}):
            await asyncio.sleep(1)

    run_in_virtual_time(run)
    assert marks.ids == []
    assert client.calls == [(ANA, ["3EB01", "3EB03"]), (BEA, ["3EB02"])]


def test_mark_that_fails_is_still_pending_and_told_again() -> None:
    marks, client = Marks(mark(1), mark(2, chat=BEA)), Client({ANA: "failed"})

    async def run() -> None:
        async with telling(marks, {A: client}):
            await asyncio.sleep(1)
            assert marks.ids == [1], "the other chat's mark was taken"
            client.errors.clear()
            await asyncio.sleep(signals.FIRST_BACKOFF_SECONDS)
            assert marks.ids == []

    run_in_virtual_time(run)


def test_retries_back_off_and_end(caplog: pytest.LogCaptureFixture) -> None:
    marks, client = Marks(mark(1)), Client({ANA: "failed"})

    async def run() -> None:
        async with telling(marks, {A: client}) as traffic:
            for _ in range(60):
                traffic.wake()
                await asyncio.sleep(1)
            assert len(client.calls) == 4, "after 0, 5, 15 and 35 seconds"
            await asyncio.sleep(signals.MAX_TRIES * signals.MAX_BACKOFF_SECONDS)

    run_in_virtual_time(run)
    assert (len(client.calls), marks.ids) == (signals.MAX_TRIES, [])
    assert "does not take read marks" in caplog.text


def test_lost_connection_ends_no_mark() -> None:
    marks, client = Marks(mark(1)), Client({ANA: "lost"})

    async def run() -> None:
        async with telling(marks, {A: client}):
            await asyncio.sleep(2 * signals.MAX_TRIES * signals.MAX_BACKOFF_SECONDS)

    run_in_virtual_time(run)
    assert marks.ids == [1]


def test_client_that_does_not_answer_delays_no_other() -> None:
    marks = Marks(mark(1), mark(2, B))

    async def run() -> None:
        async with telling(marks, {A: Client({ANA: HANGS}), B: Client()}) as traffic:
            await asyncio.sleep(1)
            assert marks.ids == [1]
            marks.pending.append(mark(3, B))
            traffic.wake()
            await asyncio.sleep(1)
            assert marks.ids == [1]

    run_in_virtual_time(run)
