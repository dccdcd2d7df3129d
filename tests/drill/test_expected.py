"""The comparison of a drill finds what is missing, late or too much."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.drill.expected import Expected, Moments, compare, expected_notices
from tests.drill.receivers import Arrived

NAMES = [f"Fleet {number}" for number in range(1, 61)]
MOMENTS = Moments(away=0, back=600, online=610, unlinked=700)


def arrive(expected: Expected) -> Arrived:
    return Arrived(expected.first + 2, expected.to, expected.channel, expected.subject, "")


def test_long_outage_is_told_and_a_short_one_is_not() -> None:
    short = replace(MOMENTS, back=20, online=25)
    assert [len(expected_notices(NAMES, 5, found)) for found in (MOMENTS, short)] == [11, 3]


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (lambda found: found, 0),
        (lambda found: found[1:], 1),
        (lambda found: [*found, found[0]], 1),
        (lambda found: [replace(found[0], at=found[0].at + 60), *found[1:]], 2),
        (lambda found: [replace(found[0], to="asleep@example.com"), *found[1:]], 2),
    ],
    ids=["as expected", "missing", "twice", "late", "to another"],
)
def test_comparison_names_what_differs(change: object, problems: int) -> None:
    expected = expected_notices(NAMES, 5, MOMENTS)
    arrived = change([arrive(each) for each in expected])  # type: ignore[operator]
    assert len(compare(expected, arrived)) == problems
