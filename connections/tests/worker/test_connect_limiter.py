"""The rate of connects, and outages, in virtual time."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from connections.tests.support.virtual_time import run_in_virtual_time
from connections.worker.tasks.connect_limiter import (
    BURST_SECONDS,
    OUTAGE_CONNECTS_PER_SECOND,
    OUTAGE_FAILURES,
    URGENT_RETRY_SECONDS,
    ClientOutdated,
    ConnectLimiter,
)

pytestmark = pytest.mark.sqlite_only

RATE = 50.0
PROBE_SECONDS = 300.0
ROUNDING = 1e-6


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.fixture(autouse=True)
def rates(settings: Settings) -> None:
    settings.CONNECTS_PER_SECOND = RATE
    settings.OUTDATED_RETRY_SECONDS = PROBE_SECONDS


def test_links_stay_where_they_are_while_no_new_one_gets_through() -> None:
    async def run() -> None:
        limiter = ConnectLimiter()
        for _ in range(OUTAGE_FAILURES):
            assert not limiter.blocked
            limiter.record_failure()
        assert limiter.blocked
        limiter.record_success()
        assert not limiter.blocked
        limiter.record_outdated()
        assert limiter.blocked

    run_in_virtual_time(run)


async def acquire_turns(
    connect_limiter: ConnectLimiter, count: int, urgent: bool = False
) -> list[float]:
    """Acquire `count` turns at once. Return after how many seconds each was granted."""
    started_at = now()

    async def turn() -> float:
        await connect_limiter.acquire(urgent)
        return now() - started_at

    return sorted(await asyncio.gather(*(turn() for _ in range(count))))


def assert_rate(rate: float, granted: list[float], burst: float) -> None:
    """Assert that no interval has more turns than the rate and the burst allow."""
    for first, begin in enumerate(granted):
        for last in range(first, len(granted)):
            allowed = rate * (granted[last] - begin) + burst + 1
            assert last - first + 1 <= allowed + ROUNDING, (begin, granted[last])


async def start_outage(connect_limiter: ConnectLimiter) -> None:
    await acquire_turns(connect_limiter, 40)  # Use up the burst.
    for _ in range(OUTAGE_FAILURES):
        connect_limiter.record_failure()


def test_single_client_never_waits() -> None:
    async def scenario() -> None:
        connect_limiter = ConnectLimiter()
        for pause in (0, 0.1, 1, 1_000):
            await asyncio.sleep(pause)
            assert await acquire_turns(connect_limiter, 1) == [0]

    run_in_virtual_time(scenario)


def test_many_clients_keep_to_the_rate_after_the_burst() -> None:
    async def scenario() -> None:
        connect_limiter = ConnectLimiter()
        for _ in range(2):
            granted = await acquire_turns(connect_limiter, 200)
            assert_rate(RATE, granted, RATE * BURST_SECONDS)
            at_once = granted.count(0)
            assert at_once == pytest.approx(RATE * BURST_SECONDS, abs=1)
            assert granted[-1] == pytest.approx((200 - at_once) / RATE, abs=0.05), "nor slower"
            await asyncio.sleep(100)

    run_in_virtual_time(scenario)


def test_urgent_clients_overtake_and_count_against_the_rate() -> None:
    async def scenario() -> None:
        connect_limiter = ConnectLimiter()
        crowd = asyncio.create_task(acquire_turns(connect_limiter, 200))
        await asyncio.sleep(1)
        assert await acquire_turns(connect_limiter, 20, urgent=True) == [0] * 20
        granted = await crowd
        alone = (200 - RATE * BURST_SECONDS) / RATE
        assert granted[-1] == pytest.approx(alone + 20 / RATE, abs=0.1)

    run_in_virtual_time(scenario)


def test_failures_in_a_row_make_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        connect_limiter = ConnectLimiter()
        for _ in range(5):
            for _ in range(OUTAGE_FAILURES - 1):
                connect_limiter.record_failure()
            assert not connect_limiter.outage
            connect_limiter.record_success()
        await start_outage(connect_limiter)
        assert connect_limiter.outage
        connect_limiter.record_failure()
        granted = await acquire_turns(connect_limiter, 20)
        assert_rate(OUTAGE_CONNECTS_PER_SECOND, granted, OUTAGE_CONNECTS_PER_SECOND * BURST_SECONDS)
        assert granted[-1] == pytest.approx(20 / OUTAGE_CONNECTS_PER_SECOND, abs=1)
        assert await acquire_turns(connect_limiter, 3, urgent=True) == [0, 0, 0], (
            "a person is not kept waiting"
        )

    run_in_virtual_time(scenario)
    assert [record.levelname for record in caplog.records] == ["WARNING"], "logged once"


def test_outage_never_raises_a_low_rate(settings: Settings) -> None:
    settings.CONNECTS_PER_SECOND = 0.5

    async def scenario() -> None:
        connect_limiter = ConnectLimiter()
        await start_outage(connect_limiter)
        assert_rate(0.5, await acquire_turns(connect_limiter, 10), 0.25)

    run_in_virtual_time(scenario)


def test_end_of_an_outage_keeps_to_the_rate() -> None:
    async def scenario() -> None:
        connect_limiter = ConnectLimiter()
        await start_outage(connect_limiter)
        crowd = asyncio.create_task(acquire_turns(connect_limiter, 300))
        await asyncio.sleep(10)
        connect_limiter.record_success()
        granted = await crowd
        before = [moment for moment in granted if moment <= 10]
        after = [moment for moment in granted if moment > 10]
        assert len(before) <= 10 * OUTAGE_CONNECTS_PER_SECOND + 2
        assert_rate(RATE, after, burst=1)
        assert after[-1] == pytest.approx(10 + len(after) / RATE, abs=BURST_SECONDS + 0.1)

    run_in_virtual_time(scenario)


def test_end_of_an_outage_ends_pauses_that_wait_for_it() -> None:
    async def pause(connect_limiter: ConnectLimiter, until_outage_ends: bool) -> float:
        started_at = now()
        await connect_limiter.pause(60, until_outage_ends)
        return now() - started_at

    async def scenario() -> None:
        connect_limiter = ConnectLimiter()
        await start_outage(connect_limiter)
        assert await pause(connect_limiter, until_outage_ends=True) == pytest.approx(60)
        pauses = [
            asyncio.create_task(pause(connect_limiter, until_outage_ends))
            for until_outage_ends in (True, False)
        ]
        await asyncio.sleep(5)
        connect_limiter.record_success()
        connect_limiter.record_success()
        assert await asyncio.gather(*pauses) == pytest.approx([5, 60])

    run_in_virtual_time(scenario)


async def refused(connect_limiter: ConnectLimiter, urgent: bool = False) -> float:
    """Acquire a turn that is refused. Return in how many seconds WhatsApp is asked again."""
    with pytest.raises(ClientOutdated) as held:
        await connect_limiter.acquire(urgent)
    return (held.value.until - timezone.now()) / timedelta(seconds=1)


def about(seconds: float) -> object:
    return pytest.approx(seconds, abs=20)  # by the real clock of a busy machine


def test_outdated_client_is_logged_once_and_probed_by_one_client(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        connect_limiter = ConnectLimiter()
        for _ in range(30):
            connect_limiter.record_outdated()
        assert connect_limiter.outdated_since is not None
        assert await refused(connect_limiter) == about(PROBE_SECONDS)
        for _ in range(3):
            await asyncio.sleep(PROBE_SECONDS - 1)
            assert await refused(connect_limiter) == about(1)
            await asyncio.sleep(1)
            await connect_limiter.acquire()
            for _ in range(30):
                assert await refused(connect_limiter) == about(PROBE_SECONDS)
            connect_limiter.record_outdated()

    with caplog.at_level(logging.ERROR):
        run_in_virtual_time(scenario)
    assert len(caplog.records) == 1


def test_waiting_clients_are_refused_when_the_version_is(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        connect_limiter = ConnectLimiter()
        await acquire_turns(connect_limiter, 40)
        crowd = asyncio.gather(
            *(connect_limiter.acquire() for _ in range(100)), return_exceptions=True
        )
        await asyncio.sleep(0.5)
        connect_limiter.record_outdated()
        results = await crowd
        assert sum(isinstance(result, ClientOutdated) for result in results) == pytest.approx(
            75, abs=20
        )

    run_in_virtual_time(scenario)


def test_person_may_ask_again_after_a_minute() -> None:
    async def scenario() -> None:
        connect_limiter = ConnectLimiter()
        connect_limiter.record_outdated()
        await asyncio.sleep(URGENT_RETRY_SECONDS - 1)
        assert await refused(connect_limiter, urgent=True) == about(
            PROBE_SECONDS - URGENT_RETRY_SECONDS
        )
        await asyncio.sleep(1)
        assert await refused(connect_limiter) == about(PROBE_SECONDS - URGENT_RETRY_SECONDS)
        await connect_limiter.acquire(urgent=True)
        assert await refused(connect_limiter) == about(PROBE_SECONDS), "that was the probe"
        connect_limiter.record_outdated()
        assert await refused(connect_limiter, urgent=True) == about(PROBE_SECONDS)

    run_in_virtual_time(scenario)


def test_accepted_version_lets_all_clients_connect(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        connect_limiter = ConnectLimiter()
        for _ in range(2):
            connect_limiter.record_outdated()
            waiting = asyncio.create_task(connect_limiter.pause(10_000, until_outage_ends=True))
            await asyncio.sleep(PROBE_SECONDS)
            await connect_limiter.acquire()
            connect_limiter.record_success()
            assert connect_limiter.outdated_since is None
            await waiting
            assert_rate(RATE, await acquire_turns(connect_limiter, 100), RATE * BURST_SECONDS)

    with caplog.at_level(logging.WARNING):
        run_in_virtual_time(scenario)
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"] * 2
