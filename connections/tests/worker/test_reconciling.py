"""What a poll finds waits for its turn; what was requested does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from connections.worker import reconciling
from connections.worker.reconciling import FOUND_AT_ONCE, RESUMED_AT_ONCE, Reconciling

FOUND = range(100, 100 + 3 * FOUND_AT_ONCE)


class Recorder:
    """Notes the connections that are reconciled, each of which ends when it is told to."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.together: list[list[int]] = []  # that were to be resumed
        self.resumable: set[int] = set()
        self.may_end = asyncio.Event()

    async def __call__(self, connection_id: int) -> None:
        self.started.append(connection_id)
        await self.may_end.wait()

    async def resume(self, connection_ids: Sequence[int]) -> set[int]:
        self.together.append([*connection_ids])
        return self.resumable.intersection(connection_ids)


@asynccontextmanager
async def running(recorder: Recorder) -> AsyncIterator[Reconciling]:
    work = Reconciling(recorder, recorder.resume)
    task = asyncio.create_task(work.run())
    yield work
    task.cancel()
    await asyncio.wait([task])


async def _pause() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_found_ones_take_turns_and_a_request_goes_first() -> None:
    recorder = Recorder()
    async with running(recorder) as work:
        work.find(FOUND)
        await _pause()
        assert recorder.started == [*FOUND[:FOUND_AT_ONCE]]
        work.find(FOUND)  # As the next poll does. Those that are under way are found once more.
        work.request(7)
        await _pause()
        assert recorder.started == [*FOUND[:FOUND_AT_ONCE], 7]
        recorder.may_end.set()
        await _pause()
    again = [*FOUND[:FOUND_AT_ONCE]]
    assert recorder.started == [*FOUND[:FOUND_AT_ONCE], 7, *FOUND[FOUND_AT_ONCE:], *again]


async def test_one_that_waits_long_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "TURN_SECONDS", 0.01)
    recorder = Recorder()
    async with running(recorder) as work, asyncio.timeout(10):
        work.find(FOUND)
        while len(recorder.started) < len(FOUND):
            await asyncio.sleep(0.01)


async def test_those_to_resume_are_claimed_together_and_not_reconciled() -> None:
    recorder = Recorder()
    recorder.resumable = {*FOUND[1:]}
    async with running(recorder) as work:
        work.find(FOUND)
        await _pause()
    assert recorder.together == [[*FOUND[:RESUMED_AT_ONCE]], [*FOUND[RESUMED_AT_ONCE:]]]
    assert recorder.started == [FOUND[0]]
