"""A worker's sockets are shared, so that endpoints that hang do not hold all of them."""

from __future__ import annotations

import asyncio

import pytest

from connections.tests.support.waiting import async_until
from webhooks.worker import sockets as module
from webhooks.worker.sockets import Sockets


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.02)
    monkeypatch.setattr(module, "SHORTEST_SECONDS", 0.05)
    monkeypatch.setattr(module, "RECHECK_SECONDS", 0.01)
    # A busy machine of tests does not matter here.
    monkeypatch.setattr(module, "LATE_FACTOR", 0.0)


class Requests:
    """Requests that last until they are ended."""

    def __init__(self, sockets: Sockets) -> None:
        self.sockets = sockets
        self.open = self.cut = 0
        self.tasks: list[asyncio.Task[None]] = []

    def start(self, count: int, host: str = "", failing: bool = False) -> None:
        self.tasks += [
            asyncio.create_task(self._run(host or f"{number}.example", failing))
            for number in range(count)
        ]

    async def _run(self, host: str, failing: bool) -> None:
        try:
            async with self.sockets.place(host, failing):
                self.open += 1
                try:
                    await asyncio.get_running_loop().create_future()
                finally:
                    self.open -= 1
        except TimeoutError:
            self.cut += 1

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_endpoints_that_failed_hold_their_own_share_only() -> None:
    requests = Requests(Sockets(total=12, per_host=5))
    requests.start(20, failing=True)
    await asyncio.sleep(0)
    async with asyncio.timeout(5), requests.sockets.place("sound.example", failing=False):
        assert requests.open == 2
    await requests.end()


async def test_endpoints_that_hang_again_are_ended_while_others_wait() -> None:
    requests = Requests(Sockets(total=12, per_host=5))
    requests.start(20, failing=True)
    await async_until(lambda: requests.cut == 18, "the ends of all but the last two")
    assert requests.open == 2
    await requests.end()


async def test_process_that_is_late_waits_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATE_FACTOR", 1.0)
    monkeypatch.setattr(module, "_lateness", lambda request: 60.0)
    requests = Requests(Sockets(total=12, per_host=5))
    requests.start(20)
    requests.start(20, failing=True)
    await asyncio.sleep(0.2)
    assert requests.cut == 0
    await requests.end()


async def test_request_that_lasts_moves_to_the_slow_share() -> None:
    requests = Requests(Sockets(total=12, per_host=5))
    requests.start(6)
    await asyncio.sleep(0)
    # The first share has six places, which are taken; four of them move.
    async with asyncio.timeout(5), requests.sockets.place("sound.example", failing=False):
        assert requests.open + requests.cut >= 6
    await requests.end()


async def test_all_that_hang_are_ended_one_by_one_while_others_wait() -> None:
    requests = Requests(Sockets(total=12, per_host=5))
    requests.start(60)
    await asyncio.sleep(0)
    async with asyncio.timeout(10), requests.sockets.place("sound.example", failing=False):
        pass
    assert requests.open <= 10
    await async_until(lambda: requests.cut >= 30, "the ends of those that hang")
    await requests.end()
    assert requests.open == 0


async def test_nobody_is_ended_while_there_is_room() -> None:
    requests = Requests(Sockets(total=12, per_host=5))
    requests.start(4)
    await asyncio.sleep(0.2)
    assert (requests.open, requests.cut) == (4, 0)
    await requests.end()


async def test_one_host_has_a_limit() -> None:
    requests = Requests(Sockets(total=60, per_host=3))
    requests.start(20, host="crowded.example")
    await asyncio.sleep(0)
    async with asyncio.timeout(5), requests.sockets.place("other.example", failing=False):
        assert requests.open == 3
    await requests.end()
    assert requests.sockets._hosts == {}


async def test_all_places_are_free_again_afterwards() -> None:
    sockets = Sockets(total=6, per_host=2)
    for failing in (False, True):
        requests = Requests(sockets)
        requests.start(30, failing=failing)
        await asyncio.sleep(0.1)
        await requests.end()
    assert sockets._first._value == 3 and sockets._failing._value == 1
    assert not sockets._slow and sockets._failing_waits == 0
