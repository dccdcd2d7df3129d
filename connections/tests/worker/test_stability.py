"""The pauses after dropped logins, and when a link is unstable."""

from __future__ import annotations

import random

import pytest

from connections.worker.tasks.stability import (
    JITTER,
    MAX_CUT_OFF,
    MAX_OUTAGE_PAUSE,
    PAUSES,
    Stability,
)


@pytest.fixture
def full_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the jitter: each pause has its full length."""
    monkeypatch.setattr(random, "uniform", lambda _lowest, highest: highest)


@pytest.mark.usefixtures("full_pauses")
def test_pauses_grow_to_the_longest_while_logins_are_accepted() -> None:
    stability = Stability()
    pauses = [stability.record_drop(login_accepted=True) for _ in range(len(PAUSES) + 2)]
    assert pauses == [0.5, 5, 12, 30, 60, 120, 300, 300, 300]


@pytest.mark.usefixtures("full_pauses")
def test_pauses_stay_short_while_no_login_is_accepted() -> None:
    stability = Stability()
    pauses = [stability.record_drop(login_accepted=False) for _ in range(7)]
    assert pauses == [0.5, 5, 12, 30, 60, 60, MAX_OUTAGE_PAUSE]
    assert not stability.unstable, "it may be an outage"
    assert stability.record_drop(login_accepted=True) == 300, "one of them was accepted"
    assert stability.unstable
    assert stability.record_drop(login_accepted=False) == 300, "it is remembered"


def test_pauses_differ_so_that_organizations_spread_out() -> None:
    pauses = {Stability().record_drop(login_accepted=True) for _ in range(50)}
    assert len(pauses) > 1
    assert all(PAUSES[0] * JITTER[0] <= pause <= PAUSES[0] * JITTER[1] for pause in pauses)


def test_second_drop_in_a_row_makes_a_link_unstable() -> None:
    stability = Stability()
    assert not stability.unstable
    stability.record_drop(login_accepted=True)
    assert not stability.unstable, "one may be an accident"
    stability.record_drop(login_accepted=True)
    assert stability.unstable


def test_logins_without_an_answer_do_not_make_a_link_unstable() -> None:
    stability = Stability()
    for _ in range(2):
        stability.record_drop(login_accepted=True)
    for _ in range(MAX_CUT_OFF - 1):
        stability.record_drop(login_accepted=False)
        assert stability.unstable, "the library may have missed the answer"
    stability.record_drop(login_accepted=False)
    assert not stability.unstable
    stability.record_drop(login_accepted=True)
    assert stability.unstable


@pytest.mark.usefixtures("full_pauses")
def test_stable_link_resets_the_count() -> None:
    stability = Stability()
    for _ in range(5):
        stability.record_drop(login_accepted=True)
    stability.record_login()
    assert stability.unstable and stability.drops == 5, "a login alone proves nothing"
    stability.record_stable()
    assert (stability.unstable, stability.drops, stability.login_accepted) == (False, 0, False)
    assert stability.record_drop(login_accepted=True) == PAUSES[0]


def test_refusals_are_timed_from_the_first_one_since_a_login() -> None:
    stability = Stability()
    assert [stability.record_refusal(now) for now in (100.0, 130.0, 400.0)] == [0, 30, 300]
    stability.record_drop(login_accepted=False)
    stability.record_stable()
    assert stability.record_refusal(500.0) == 400, "only a login ends it"
    stability.record_login()
    assert stability.record_refusal(510.0) == 0
