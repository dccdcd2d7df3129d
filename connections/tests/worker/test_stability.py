"""How long the pauses after dropped logins are, and when a link counts as not holding."""

from __future__ import annotations

import random

import pytest

from connections.worker.tasks.stability import (
    JITTER,
    LONGEST_OUTAGE_PAUSE,
    MOST_CUT_OFF,
    PAUSES,
    Stability,
)


@pytest.fixture
def longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pause is as long as it may be."""
    monkeypatch.setattr(random, "uniform", lambda _lowest, highest: highest)


@pytest.mark.usefixtures("longest")
def test_pauses_grow_to_the_longest_one_while_logins_are_let_in() -> None:
    found = Stability()
    pauses = [found.record_drop(let_in=True) for _ in range(len(PAUSES) + 2)]
    assert pauses == [0.5, 5, 12, 30, 60, 120, 300, 300, 300]


@pytest.mark.usefixtures("longest")
def test_pauses_stay_short_while_no_login_is_let_in() -> None:
    found = Stability()
    pauses = [found.record_drop(let_in=False) for _ in range(7)]
    assert pauses == [0.5, 5, 12, 30, 60, 60, LONGEST_OUTAGE_PAUSE]
    assert not found.unstable, "it may be an outage"
    assert found.record_drop(let_in=True) == 300, "one of them was let in"
    assert found.unstable
    assert found.record_drop(let_in=False) == 300, "it is remembered"


def test_pauses_differ_so_that_organizations_spread_out() -> None:
    pauses = {Stability().record_drop(let_in=True) for _ in range(50)}
    assert len(pauses) > 1
    assert all(PAUSES[0] * JITTER[0] <= pause <= PAUSES[0] * JITTER[1] for pause in pauses)


def test_second_drop_in_a_row_makes_a_link_unstable() -> None:
    found = Stability()
    assert not found.unstable
    found.record_drop(let_in=True)
    assert not found.unstable, "one may be an accident"
    found.record_drop(let_in=True)
    assert found.unstable


def test_logins_that_are_cut_off_before_an_answer_are_something_else() -> None:
    found = Stability()
    for _ in range(2):
        found.record_drop(let_in=True)
    for _ in range(MOST_CUT_OFF - 1):
        found.record_drop(let_in=False)
        assert found.unstable, "the library may have missed the answer"
    found.record_drop(let_in=False)
    assert not found.unstable
    found.record_drop(let_in=True)
    assert found.unstable


@pytest.mark.usefixtures("longest")
def test_held_link_starts_the_count_anew() -> None:
    found = Stability()
    for _ in range(5):
        found.record_drop(let_in=True)
    found.record_login()
    assert found.unstable and found.drops == 5, "a login alone proves nothing"
    found.record_held()
    assert (found.unstable, found.drops, found.let_in) == (False, 0, False)
    assert found.record_drop(let_in=True) == PAUSES[0]


def test_refusals_are_timed_from_the_first_one_since_a_login() -> None:
    found = Stability()
    assert [found.record_refusal(now) for now in (100.0, 130.0, 400.0)] == [0, 30, 300]
    found.record_drop(let_in=False)
    found.record_held()
    assert found.record_refusal(500.0) == 400, "only a login ends it"
    found.record_login()
    assert found.record_refusal(510.0) == 0
