"""Whatever happens in whatever order: once faults stop, what is wanted is what is.

And no credentials are lost on the way but by a disconnect or by a newer link.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.test import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from connections.lifecycle import RULES, Observation, Reason, State
from connections.models import ConnectionEvent, Method
from connections.tests.support.convergence_machine import SEEN, TROUBLES, Settles
from connections.tests.support.fake_client import AFTER_SCAN, NUMBERS, OVERTIME
from connections.tests.support.fake_world import World

STEPS = 24  # of a task, from a request to a link that is up

pytestmark = pytest.mark.sqlite_only


@pytest.fixture(autouse=True)
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Time passes as the tests say, and no one has to wait for another request."""
    real_now = timezone.now

    def now() -> datetime:
        return real_now() if World.current is None else World.current.now

    monkeypatch.setattr(timezone, "now", now)
    # The longest waits, every time.
    monkeypatch.setattr(random, "uniform", lambda lowest, highest: highest)
    with override_settings(RECONNECTS_PER_ORGANIZATION=10_000):
        yield
    if World.current is not None:
        World.current.close()


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
        life = new_life()
        for who in (1, 0):
            life.link(who)
        life.work(0, None, STEPS, [trouble])
        life.settle()
        life.work(0, None, STEPS, [trouble])
        life.happen(0, "kill -9")
        life.settle()
        life.disconnect(0)
        life.work(0, None, STEPS, [trouble])
        life.work(0, Method.QR, STEPS, [trouble])
        life.settle()
        life.disconnect(0)
        life.go_on(0)
        life.expect(0, NUMBERS[2])
        life.work(0, Method.PHONE, STEPS, [trouble])
        life.work(0, None, STEPS, [trouble])
        life.teardown()
    for steps in (1, 3, 6, 10, 15, 20):
        harmed_at(steps, "loss", "kill -9", "damage", "kill -9")
        harmed_at(steps, "disconnect", "cancel", "expect", "deactivate", "activate")
    paired_while_whatsapp_is_unreachable()
    reconnected_while_a_logout_fails()
    linked_anew_beside_a_dead_login()
    assert set(RULES) == SEEN


@pytest.mark.parametrize("harm", ["damage", "loss"])
@pytest.mark.parametrize("trouble", sorted([*AFTER_SCAN, OVERTIME]))
def test_after_a_scan_into_a_store_that_breaks_it_settles(trouble: str, harm: str) -> None:
    life = new_life()
    life.reconnect(0, Method.QR)
    life.reconcile(life.ids[0])
    life.reach(0, "connected")
    life.happen(0, harm)
    life.meet(0, trouble)
    life.what_waits_is_looked_after()
    life.teardown()


def test_phone_that_was_quicker_than_the_end_of_its_worker_is_linked() -> None:
    life = new_life()
    life.reconnect(0, Method.QR)
    life.reconcile(life.ids[0])
    life.reach(0, "accepted")
    life.happen(0, "kill -9")
    life.poll()
    row = life.row(0)
    assert (row.state, row.reason) == (State.RECONNECTING, Reason.SERVICE_RESTARTED)
    assert life.world.stores == {(row.pk, row.store_name): row.number}
    life.teardown()


@pytest.mark.parametrize("harm", ["damage", "unlinked", "locked"])
def test_cancelled_pairing_leaves_what_an_earlier_link_left(harm: str) -> None:
    life = new_life()
    life.link(0)
    store = life.row(0).store_name
    if harm == "damage":
        life.happen(0, harm)
    life.meet(0, "crashed" if harm == "damage" else harm)
    life.go_on(0)
    assert life.row(0).state == State.ACTION_NEEDED
    life.reconnect(0, Method.QR)
    life.reconcile(life.ids[0])
    life.reach(0, "scan")
    life.write_down(0)
    assert life.row(0).state == State.AWAITING_SCAN
    life.ask(0, "cancel")
    life.go_on(0)
    assert life.row(0).state == State.DISCONNECTED
    assert (life.row(0).pk, store) in life.world.stores
    life.disconnect(0)
    life.go_on(0)
    assert life.world.stores == {}


def test_disconnect_during_a_ban_does_not_try_whatsapp() -> None:
    life = new_life()
    life.link(0)
    life.meet(0, "temporary ban")
    banned_until = life.row(0).banned_until
    assert banned_until is not None
    life.disconnect(0)
    assert life.row(0).retry_at == banned_until, "what `log_out` looks at"
    life.go_on(0)  # A task that dials before the ban is over fails.
    assert (life.row(0).state, life.row(0).retry_at) == (State.DISCONNECTED, None)
    assert life.row(0).reason == Reason.DISCONNECTED_UNCONFIRMED


def test_time_that_runs_out_in_the_moment_of_the_link_deletes_nothing() -> None:
    life = new_life()
    life.reconnect(0, Method.QR)
    life.reconcile(life.ids[0])
    life.reach(0, "closed")
    life.happen(0, "damage")
    life.meet(0, OVERTIME)
    assert life.world.stores.keys() == {(life.row(0).pk, life.row(0).store_name)}
    life.teardown()


def test_ban_outlasts_the_worker() -> None:
    life = new_life()
    life.link(0)
    life.meet(0, "temporary ban")
    life.happen(0, "kill -9")
    life.teardown()  # A task that dials before the ban is over fails.


def test_ban_outlasts_a_deactivation_of_the_organization() -> None:
    life = new_life()
    life.link(0)
    life.meet(0, "temporary ban")
    life.ask(0, "deactivate")
    life.ask(0, "activate")
    life.teardown()  # A task that dials before the ban is over fails.


def test_pairing_after_a_dead_login_that_a_deactivation_ends_asks_for_a_person() -> None:
    life = new_life()
    life.link(0)
    life.meet(0, "refused")
    life.reconnect(0, Method.QR)
    life.meet(0, "forgotten")
    life.reach(0, "scan")
    life.ask(0, "deactivate")
    life.reconcile(life.ids[0])
    life.ask(0, "activate")
    row = life.row(0)
    assert (row.state, row.reason) == (State.ACTION_NEEDED, Reason.PAIRING_INTERRUPTED)
    life.what_waits_is_looked_after()
    life.teardown()


def new_life() -> Settles:
    life = Settles()
    life.begin()
    return life


def paired_while_whatsapp_is_unreachable() -> None:
    life = new_life()
    life.reconnect(0, Method.QR)
    life.meet(0, "unreachable")
    life.go_on(0)
    row = life.row(0)
    assert (row.state, row.reason) == (State.ACTION_NEEDED, Reason.PAIRING_UNREACHABLE)
    life.teardown()


def reconnected_while_a_logout_fails() -> None:
    """That WhatsApp could not be told is written down, though something else is wanted by now."""
    life = new_life()
    life.link(0)
    assert life.row(0).state == State.CONNECTED
    life.disconnect(0)
    life.reconcile(life.ids[0])
    life.reach(0, "untold")
    life.world.take(life.ids[0], "untold")
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
    life = new_life()
    life.link(0)
    old = life.row(0).store_name
    for ending in ("expired", "cancel"):
        life.meet(0, "refused for long")
        assert life.row(0).reason == Reason.LOGIN_STILL_REFUSED
        life.reconnect(0, Method.QR, fresh=True)
        life.reconcile(life.ids[0])
        life.reach(0, "scan")
        life.write_down(0)
        row = life.row(0)
        assert (row.state, row.store_name) == (State.AWAITING_SCAN, old)
        if ending == "cancel":
            life.ask(0, "cancel")
            life.reconcile(life.ids[0])
        while life.row(0).state == State.AWAITING_SCAN:
            life.meet(0, ending)
            life.write_down(0)
        assert (life.row(0).state, life.row(0).reason) == (
            State.RECONNECTING,
            Reason.SAVED_LOGIN_KEPT,
        )
        assert (life.row(0).pk, old) in life.world.stores
        life.settle()
        assert (life.row(0).state, life.row(0).store_name) == (State.CONNECTED, old)
    life.meet(0, "refused for long")
    life.reconnect(0, Method.QR, fresh=True)
    life.meet(0, "untold")  # The old login's device cannot be logged out.
    life.settle()
    row = life.row(0)
    assert row.state == State.CONNECTED
    assert row.store_name != old
    assert life.world.stores.keys() == {(row.pk, row.store_name)}
    life.teardown()


def harmed_at(steps: int, *happenings: str) -> None:
    """One after the other, each when the session of another press of Reconnect is that far."""
    life = new_life()
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
