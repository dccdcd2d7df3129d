"""When a delivery is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from webhooks.schedule import DELAYS, JITTER, MAX_TRIES, next_try, parse_retry_after

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def test_waits_are_those_of_the_schedule_and_a_little_longer() -> None:
    assert [delay.total_seconds() for delay in DELAYS] == [
        *(0, 5, 30, 120, 600, 3600),
        *(3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600, 24 * 3600),
    ]
    for tries in range(1, MAX_TRIES):
        at = next_try(tries, NOW)
        assert at is not None
        assert DELAYS[tries] <= at - NOW <= DELAYS[tries] * (1 + JITTER)


def test_waits_of_many_endpoints_differ() -> None:
    assert len({next_try(3, NOW) for _ in range(20)}) > 10


def test_event_is_given_up_after_the_whole_schedule() -> None:
    assert next_try(MAX_TRIES, NOW) is None


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        (timedelta(minutes=10), timedelta(minutes=10)),
        (timedelta(days=300), timedelta(days=1)),
    ],
)
def test_receiver_may_ask_for_more_time_but_not_for_ever(
    asked: timedelta, waits: timedelta
) -> None:
    assert next_try(1, NOW, asked) == NOW + waits


def test_receiver_cannot_ask_for_less_time() -> None:
    at = next_try(5, NOW, timedelta(0))
    assert at is not None and at - NOW >= DELAYS[5]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("99999999999999999999", 24 * 3600),
        ("Sun, 01 Mar 2026 09:31:00 GMT", 60),
        ("Sun, 01 Mar 2026 09:00:00 GMT", 0),
        ("soon", None),
        ("Mon, 01 Jan 99999999999999 00:00:00 GMT", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read(text: str | None, seconds: int | None) -> None:
    found = parse_retry_after(text, NOW)
    assert (found.total_seconds() if found is not None else None) == seconds
