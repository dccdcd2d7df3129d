"""A request waits for a result until its deadline, and no longer than needed."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from connections import broadcast, long_poll

GROUP = broadcast.connection_group(1)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """No message comes here, so it looks by itself."""
    monkeypatch.setattr(long_poll, "RECHECK_SECONDS", 0.01)


def test_existing_result_is_returned_at_once() -> None:
    begun = time.monotonic()
    assert long_poll.wait_for(GROUP, lambda: "there", 60) == "there"
    assert time.monotonic() - begun < 10


def test_missing_result_returns_none_after_the_deadline() -> None:
    assert long_poll.wait_for(GROUP, lambda: None, 0.03) is None


def test_check_is_repeated() -> None:
    looks: list[int] = []

    def third() -> int | None:
        looks.append(1)
        return len(looks) if len(looks) == 3 else None

    assert long_poll.wait_for(GROUP, third, 60) == 3


def test_error_of_the_check_is_raised() -> None:
    def fail() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        long_poll.wait_for(GROUP, fail, 60)


def test_request_steps_aside_while_it_waits() -> None:
    seen: list[str] = []

    @contextmanager
    def aside() -> Iterator[None]:
        seen.append("aside")
        yield
        seen.append("back")

    token = long_poll.step_aside.set(aside)
    try:
        long_poll.wait_for(GROUP, lambda: seen.append("look") or "there", 60)  # type: ignore[func-returns-value]
    finally:
        long_poll.step_aside.reset(token)
    assert seen == ["aside", "look", "back"]


def test_many_requests_can_wait_for_one_connection() -> None:
    ready: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        waits = [
            pool.submit(long_poll.wait_for, GROUP, lambda: ready[0] if ready else None, 60)
            for _ in range(4)
        ]
        ready.append("now")
        assert [wait.result(30) for wait in waits] == ["now"] * 4


@pytest.mark.django_db(transaction=True)
def test_notification_after_several_checks_is_received(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some channel layers forget a listener that gives up in between."""
    looks: list[int] = []

    def fourth() -> str | None:
        looks.append(1)
        if len(looks) == 3:
            monkeypatch.setattr(long_poll, "RECHECK_SECONDS", 1000)
            broadcast.notify_changed(1)
        return "heard" if len(looks) == 4 else None

    begun = time.monotonic()
    assert long_poll.wait_for(GROUP, fourth, 40) == "heard"
    assert time.monotonic() - begun < 20
