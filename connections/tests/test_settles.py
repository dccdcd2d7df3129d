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

from connections.lifecycle import Observation, Reason, State
from connections.models import ConnectionEvent, Method
from connections.tests.convergence_machine import SEEN, WORLD, Settles
from connections.tests.session_model import AFTER_SCAN, NUMBERS, TROUBLES

pytestmark = pytest.mark.sqlite_only


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
            max_examples=20,
            stateful_step_count=25,
            deadline=timedelta(seconds=90),
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
        life.settle()
        life.work(0, None, 12, [trouble])
        life.happen(0, "kill -9")
        life.settle()
        life.disconnect(0)
        life.work(0, None, 12, [trouble])
        life.work(0, Method.QR, 12, [trouble])
        life.settle()
        life.disconnect(0)
        life.work(0, None, 12, [])
        life.expect(0, NUMBERS[2])
        life.work(0, Method.PHONE, 12, [trouble, "give up"])
        life.work(0, None, 12, [trouble, "give up"])
        life.teardown()
    for steps in (1, 2, 3, 4, 5, 6, 8, 10):
        harmed_at(steps, "loss", "kill -9", "damage", "kill -9")
        harmed_at(steps, "disconnect", "cancel", "expect", "deactivate", "activate")
    reconnected_while_a_logout_fails()
    linked_anew_beside_a_dead_login()
    assert set(Observation) == SEEN


@pytest.mark.parametrize("harm", ["damage", "loss"])
@pytest.mark.parametrize("trouble", sorted(AFTER_SCAN))
def test_after_a_scan_into_a_store_that_breaks(trouble: str, harm: str) -> None:
    life = Settles()
    life.begin()
    while "connected" not in life.options(0):
        life.work(0, Method.QR, 1, [])
    life.happen(0, harm)
    life.work(0, None, 4, [trouble])
    life.what_waits_is_looked_after()
    life.teardown()


def test_a_phone_that_was_quicker_than_the_end_of_its_worker_is_linked() -> None:
    life = Settles()
    life.begin()
    while "accepted" not in life.options(0):
        life.work(0, Method.QR, 1, [])
    life.happen(0, "kill -9")
    life.poll()
    row = life.row(0)
    assert (row.state, row.reason) == (State.RECONNECTING, Reason.SERVICE_RESTARTED)
    assert WORLD.stores == {(row.pk, row.store_name): row.number}
    life.teardown()


@pytest.mark.parametrize("harm", ["damage", "unlinked", "locked"])
def test_a_pairing_that_is_cancelled_leaves_what_an_earlier_link_left(harm: str) -> None:
    life = Settles()
    life.begin()
    life.work(0, Method.QR, 12, [])
    store = life.row(0).store_name
    if harm == "damage":
        life.happen(0, harm)
    life.work(0, None, 1, ["lost" if harm == "damage" else harm])
    life.work(0, None, 4, [])
    assert life.row(0).state == State.ACTION_NEEDED
    while life.row(0).state != State.AWAITING_SCAN:
        life.work(0, Method.QR, 1, [])
    life.ask(0, "cancel")
    life.work(0, None, 4, [])
    assert life.row(0).state == State.DISCONNECTED
    assert (life.row(0).pk, store) in WORLD.stores
    life.disconnect(0)
    life.work(0, None, 9, [])
    assert WORLD.stores == {}


def test_whoever_leaves_during_a_ban_does_not_try_whatsapp() -> None:
    life = Settles()
    life.begin()
    life.work(0, Method.QR, 12, [])
    life.work(0, None, 1, ["temporary ban"])
    banned_until = life.row(0).banned_until
    assert banned_until is not None
    life.disconnect(0)
    assert life.row(0).retry_at == banned_until, "what `leaving.log_out` looks at"
    life.work(0, None, 9, ["untold"])
    assert (life.row(0).state, life.row(0).retry_at) == (State.DISCONNECTED, None)


def test_a_time_that_runs_out_in_the_moment_of_the_link_deletes_nothing() -> None:
    life = Settles()
    life.begin()
    while "closed" not in life.options(0):
        life.work(0, Method.QR, 1, [])
    life.happen(0, "damage")
    life.work(0, None, 4, ["overtime"])
    assert WORLD.stores.keys() == {(life.row(0).pk, life.row(0).store_name)}
    life.teardown()


def test_a_ban_outlasts_the_worker() -> None:
    life = Settles()
    life.begin()
    life.work(0, Method.QR, 12, [])
    life.work(0, None, 1, ["temporary ban"])
    life.happen(0, "kill -9")
    life.teardown()  # A session that dials before the ban is over fails.


def test_a_ban_outlasts_a_rest_of_the_organization() -> None:
    life = Settles()
    life.begin()
    life.work(0, Method.QR, 12, [])
    life.work(0, None, 1, ["temporary ban"])
    life.ask(0, "deactivate")
    life.ask(0, "activate")
    life.teardown()  # A session that dials before the ban is over fails.


def reconnected_while_a_logout_fails() -> None:
    """That WhatsApp could not be told is told, though something else is wanted by now."""
    life = Settles()
    life.begin()
    life.work(0, Method.QR, 12, [])
    assert life.row(0).state == State.CONNECTED
    life.disconnect(0)
    life.work(0, None, 2, ["untold"])
    life.reconnect(0, Method.QR)
    life.settle()
    assert life.row(0).state == State.CONNECTED
    told = ConnectionEvent.objects.filter(observation=Observation.LOGOUT_UNCONFIRMED)
    assert [(line.state, line.reason) for line in told] == [
        (State.CONNECTING, Reason.DISCONNECTED_UNCONFIRMED)
    ]
    life.teardown()


def linked_anew_beside_a_dead_login() -> None:
    """A new code that is not used leaves the saved login; one that is used takes its place."""
    life = Settles()
    life.begin()
    life.work(0, Method.QR, 12, [])
    old = life.row(0).store_name
    for ending, state in (("expired", State.RECONNECTING), ("cancel", State.RECONNECTING)):
        life.work(0, None, 1, ["refused for long"])
        life.reconnect(0, Method.QR, fresh=True)
        while life.row(0).state != State.AWAITING_SCAN:
            life.work(0, None, 1, [])
        assert (life.row(0).store_name, life.row(0).open_attempt() is None) == (old, False)
        if ending == "cancel":
            life.ask(0, "cancel")
        while life.row(0).state == State.AWAITING_SCAN:
            life.work(0, None, 1, [ending])
        assert (life.row(0).state, life.row(0).reason) == (state, Reason.SAVED_LOGIN_KEPT)
        assert (life.row(0).pk, old) in WORLD.stores
        life.settle()
        assert (life.row(0).state, life.row(0).store_name) == (State.CONNECTED, old)
    life.work(0, None, 1, ["dropped again"])
    life.reconnect(0, Method.QR, fresh=True)
    life.work(0, None, 14, ["left"])
    life.settle()
    row = life.row(0)
    assert (row.state, row.store_name) == (State.CONNECTED, row.store_name)
    assert row.store_name != old
    assert WORLD.stores.keys() == {(row.pk, row.store_name)}
    life.teardown()


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
