"""It is said of every measured row whom it flatters, or that it flatters nobody."""

from __future__ import annotations

import fnmatch

import pytest

from bench import biases
from bench.test_comparison import BUSY, COSTS, MANY, PAGES, PAIRING, RECOVERIES, TIMES

# Those that the tests measure, of production alone, and of `--outage`.
MEASURED = [*PAIRING, *COSTS, *RECOVERIES, *MANY, *TIMES, *BUSY, *PAGES]
KEYS = [*MEASURED, "many_scaling", "outage", "outage_peak"]


@pytest.mark.parametrize("key", KEYS)
def test_row_flatters_somebody_or_is_known_to_flatter_nobody(key: str) -> None:
    assert biases.is_known(key)


def test_each_text_is_of_a_row_and_says_whom_it_flatters() -> None:
    for patterns, text in biases.BIASES:
        assert all(fnmatch.filter(KEYS, pattern) for pattern in patterns), patterns
        assert "flatter" in text


def test_neutral_rows_are_measured_and_have_no_text() -> None:
    assert set(biases.NEUTRAL) <= set(KEYS)
    assert biases.texts(biases.NEUTRAL) == []
    assert not biases.is_known("new")


def test_text_of_several_rows_is_there_once() -> None:
    assert len(biases.texts(["memory_50", "memory_200", "memory_restarted"])) == 1
