"""How fast clients are started, on a loop whose time passes only when everyone waits."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from connections.tests.support.virtual_time import run_in_virtual_time
from connections.worker.tasks.connect_limiter import (
    ASKED_AGAIN_SECONDS,
    BURST_SECONDS,
    OUTAGE_DIALS_PER_SECOND,
    OUTAGE_FAILURES,
    ConnectLimiter,
    Outdated,
)

pytestmark = pytest.mark.sqlite_only

RATE = 50.0
PROBE_SECONDS = 300.0
ABOUT = 1e-6


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.fixture(autouse=True)
def rates(settings: Settings) -> None:
    settings.CONNECTS_PER_SECOND = RATE
    settings.OUTDATED_RETRY_SECONDS = PROBE_SECONDS


async def times(connect_limiter: ConnectLimiter, count: int, urgent: bool = False) -> list[float]:
    """When each of so many that come at once gets its turn, from now on."""
    begun = now()

    async def turn() -> float:
        await connect_limiter.acquire(urgent)
        return now() - begun

    return sorted(await asyncio.gather(*(turn() for _ in range(count))))


def keeps_to(rate: float, granted: list[float], burst: float) -> None:
    """In no stretch of time are there more than the rate and the burst allow."""
    for first, begin in enumerate(granted):
        for last in range(first, len(granted)):
            allowed = rate * (granted[last] - begin) + burst + 1
            assert last - first + 1 <= allowed + ABOUT, (begin, granted[last])


async def outage(connect_limiter: ConnectLimiter) -> None:
    await times(connect_limiter, 40)  # The burst is used up.
    for _ in range(OUTAGE_FAILURES):
        connect_limiter.record_failure()


def test_one_alone_never_waits() -> None:
    async def play() -> None:
        connect_limiter = ConnectLimiter()
        for pause in (0, 0.1, 1, 1_000):
            await asyncio.sleep(pause)
            assert await times(connect_limiter, 1) == [0]

    run_in_virtual_time(play)


def test_many_keep_to_the_rate_after_half_a_second_of_it_at_once() -> None:
    async def play() -> None:
        connect_limiter = ConnectLimiter()
        for _ in range(2):
            granted = await times(connect_limiter, 200)
            keeps_to(RATE, granted, RATE * BURST_SECONDS)
            at_once = granted.count(0)
            assert at_once == pytest.approx(RATE * BURST_SECONDS, abs=1)
            assert granted[-1] == pytest.approx((200 - at_once) / RATE, abs=0.05), "nor slower"
            await asyncio.sleep(100)

    run_in_virtual_time(play)


def test_who_is_waited_for_overtakes_and_is_counted() -> None:
    async def play() -> None:
        connect_limiter = ConnectLimiter()
        crowd = asyncio.create_task(times(connect_limiter, 200))
        await asyncio.sleep(1)
        assert await times(connect_limiter, 20, urgent=True) == [0] * 20
        granted = await crowd
        alone = (200 - RATE * BURST_SECONDS) / RATE
        assert granted[-1] == pytest.approx(alone + 20 / RATE, abs=0.1)

    run_in_virtual_time(play)


def test_after_some_failures_in_a_row_it_is_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        connect_limiter = ConnectLimiter()
        for _ in range(5):
            for _ in range(OUTAGE_FAILURES - 1):
                connect_limiter.record_failure()
            assert not connect_limiter.outage
            connect_limiter.record_success()
        await outage(connect_limiter)
        assert connect_limiter.outage
        connect_limiter.record_failure()
        granted = await times(connect_limiter, 20)
        keeps_to(OUTAGE_DIALS_PER_SECOND, granted, OUTAGE_DIALS_PER_SECOND * BURST_SECONDS)
        assert granted[-1] == pytest.approx(20 / OUTAGE_DIALS_PER_SECOND, abs=1)
        assert await times(connect_limiter, 3, urgent=True) == [0, 0, 0], (
            "a person is not kept waiting"
        )

    run_in_virtual_time(play)
    assert [record.levelname for record in caplog.records] == ["WARNING"], "told once"


def test_a_slow_fleet_is_not_dialled_faster_in_an_outage(settings: Settings) -> None:
    settings.CONNECTS_PER_SECOND = 0.5

    async def play() -> None:
        connect_limiter = ConnectLimiter()
        await outage(connect_limiter)
        keeps_to(0.5, await times(connect_limiter, 10), 0.25)

    run_in_virtual_time(play)


def test_the_end_of_an_outage_is_no_stampede() -> None:
    async def play() -> None:
        connect_limiter = ConnectLimiter()
        await outage(connect_limiter)
        crowd = asyncio.create_task(times(connect_limiter, 300))
        await asyncio.sleep(10)
        connect_limiter.record_success()
        granted = await crowd
        before = [moment for moment in granted if moment <= 10]
        after = [moment for moment in granted if moment > 10]
        assert len(before) <= 10 * OUTAGE_DIALS_PER_SECOND + 2
        keeps_to(RATE, after, burst=1)
        assert after[-1] == pytest.approx(10 + len(after) / RATE, abs=BURST_SECONDS + 0.1)

    run_in_virtual_time(play)


def test_who_pauses_hears_of_the_end_of_an_outage() -> None:
    async def pause(connect_limiter: ConnectLimiter, until_over: bool) -> float:
        begun = now()
        await connect_limiter.pause(60, until_over)
        return now() - begun

    async def play() -> None:
        connect_limiter = ConnectLimiter()
        await outage(connect_limiter)
        assert await pause(connect_limiter, until_over=True) == pytest.approx(60)
        pauses = [
            asyncio.create_task(pause(connect_limiter, until_over)) for until_over in (True, False)
        ]
        await asyncio.sleep(5)
        connect_limiter.record_success()
        connect_limiter.record_success()
        assert await asyncio.gather(*pauses) == pytest.approx([5, 60])

    run_in_virtual_time(play)


async def refused(connect_limiter: ConnectLimiter, urgent: bool = False) -> float:
    """In how many seconds it is looked at again, for one who is told that now."""
    with pytest.raises(Outdated) as held:
        await connect_limiter.acquire(urgent)
    return (held.value.until - timezone.now()) / timedelta(seconds=1)


def soon(seconds: float) -> object:
    return pytest.approx(seconds, abs=20)  # by the real clock, and the machine may be busy


def test_outdated_is_one_alarm_and_one_probe_for_all(caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        connect_limiter = ConnectLimiter()
        for _ in range(30):
            connect_limiter.record_outdated()
        assert connect_limiter.outdated_since is not None
        assert await refused(connect_limiter) == soon(PROBE_SECONDS)
        for _ in range(3):
            await asyncio.sleep(PROBE_SECONDS - 1)
            assert await refused(connect_limiter) == soon(1)
            await asyncio.sleep(1)
            await connect_limiter.acquire()
            for _ in range(30):
                assert await refused(connect_limiter) == soon(PROBE_SECONDS)
            connect_limiter.record_outdated()

    with caplog.at_level(logging.ERROR):
        run_in_virtual_time(play)
    assert len(caplog.records) == 1


def test_who_waits_for_a_turn_meanwhile_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        connect_limiter = ConnectLimiter()
        await times(connect_limiter, 40)
        crowd = asyncio.gather(
            *(connect_limiter.acquire() for _ in range(100)), return_exceptions=True
        )
        await asyncio.sleep(0.5)
        connect_limiter.record_outdated()
        told = await crowd
        assert sum(isinstance(answer, Outdated) for answer in told) == pytest.approx(75, abs=20)

    run_in_virtual_time(play)


def test_a_person_may_ask_again_after_a_minute() -> None:
    async def play() -> None:
        connect_limiter = ConnectLimiter()
        connect_limiter.record_outdated()
        await asyncio.sleep(ASKED_AGAIN_SECONDS - 1)
        assert await refused(connect_limiter, urgent=True) == soon(
            PROBE_SECONDS - ASKED_AGAIN_SECONDS
        )
        await asyncio.sleep(1)
        assert await refused(connect_limiter) == soon(PROBE_SECONDS - ASKED_AGAIN_SECONDS)
        await connect_limiter.acquire(urgent=True)
        assert await refused(connect_limiter) == soon(PROBE_SECONDS), "that was the probe"
        connect_limiter.record_outdated()
        assert await refused(connect_limiter, urgent=True) == soon(PROBE_SECONDS)

    run_in_virtual_time(play)


def test_accepted_again_everyone_may_come(caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        connect_limiter = ConnectLimiter()
        for _ in range(2):
            connect_limiter.record_outdated()
            waiting = asyncio.create_task(connect_limiter.pause(10_000, until_over=True))
            await asyncio.sleep(PROBE_SECONDS)
            await connect_limiter.acquire()
            connect_limiter.record_success()
            assert connect_limiter.outdated_since is None
            await waiting
            keeps_to(RATE, await times(connect_limiter, 100), RATE * BURST_SECONDS)

    with caplog.at_level(logging.WARNING):
        run_in_virtual_time(play)
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"] * 2
