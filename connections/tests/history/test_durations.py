"""Durations as text."""

from datetime import timedelta

import pytest

from connections.durations import format_duration


@pytest.mark.parametrize(
    ("lasted", "words"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(), "0 s"),
        (timedelta(seconds=59.9), "59 s"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(minutes=2, seconds=5), "2 min 5 s"),
        (timedelta(hours=1, seconds=5), "1 h"),
        (timedelta(hours=3, minutes=12, seconds=59), "3 h 12 min"),
        (timedelta(days=1, minutes=5), "1 d"),
        (timedelta(days=400, hours=23), "400 d 23 h"),
    ],
)
def test_duration_has_the_largest_unit_and_the_next_one(lasted: timedelta, words: str) -> None:
    assert format_duration(lasted) == words
