"""Whatever happens in whatever order: once faults stop, what is wanted is what is.

And no credentials are lost on the way but by a disconnect or by a newer link.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from connections.lifecycle import Observation
from connections.models import Method
from connections.tests.session_model import NUMBERS, TROUBLES
from connections.tests.settling import SEEN, WORLD, Settles


@pytest.fixture(autouse=True)
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Time passes as the tests say, and no one has to wait for another request."""
    monkeypatch.setattr(timezone, "now", lambda: WORLD.now)
    with override_settings(RECONNECTS_PER_ORGANIZATION=10_000):
        yield


def test_in_any_sequence() -> None:
    run_state_machine_as_test(
        Settles,
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            deadline=timedelta(seconds=20),
            derandomize=True,  # The same sequences every time: it fails for a reason, not by luck.
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


def test_after_each_trouble_by_itself() -> None:
    """While a phone is linked, while the link is held, and after the next worker has come."""
    SEEN.clear()
    for trouble in TROUBLES:
        life = Settles()
        life.begin()
        for who in (1, 0):
            life.work(who, Method.QR, 12, [])
        life.work(0, None, 12, [trouble])
        life.happen(0, "kill -9")
        life.work(0, None, 12, [trouble])
        life.disconnect(0)
        life.work(0, None, 12, [trouble])
        life.work(0, Method.QR, 12, [trouble])
        life.expect(0, NUMBERS[2])
        life.disconnect(0)
        life.work(0, Method.PHONE, 12, [trouble, "give up"])
        life.work(0, None, 12, [trouble, "give up"])
        life.teardown()
    for steps in (1, 2, 3, 4, 5, 6, 8, 10):
        harmed_at(steps, "loss", "kill -9", "damage", "kill -9")
        harmed_at(steps, "disconnect", "cancel", "expect", "deactivate", "activate")
    assert set(Observation) == SEEN


def harmed_at(steps: int, *happenings: str) -> None:
    """One after the other, each when the session of another press of Reconnect is that far."""
    life = Settles()
    life.begin()
    for what in happenings:
        life.work(0, Method.QR, steps, ["code lost", "lost", "unlinked"])
        life.work(0, Method.QR, steps, [])
        if what in ("kill -9", "damage", "loss"):
            life.happen(0, what)
        elif what == "expect":
            life.expect(0, NUMBERS[2])
        else:
            life.ask(0, what)
        life.look_after_credentials()
        life.what_waits_is_looked_after()
        life.happen(0, "a poll")
        life.look_after_credentials()
    life.teardown()
