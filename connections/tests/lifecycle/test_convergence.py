"""After any sequence of requests and faults, connections converge to the desired state.

Credentials are lost only by a disconnect or by a newer link.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.test import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from connections import actions
from connections.lifecycle import RULES, Observation, Reason, State
from connections.models import ConnectionEvent, Method
from connections.tests.support.convergence_machine import (
    ALICE,
    FAULTS,
    OBSERVED,
    ConvergenceMachine,
)
from connections.tests.support.fake_client import AFTER_SCAN, NUMBERS, OVERTIME
from connections.tests.support.fake_world import TIME_PASSED, World
from connections.worker.hosts.client import ClientHandle
from connections.worker.tasks.connection_task import MAX_TRIES, ConnectionTask
from connections.worker.tasks.link_keeper import DEDICATED_HOST_CRASHES

STEPS = 24  # of a task, from a request to a stable link

pytestmark = pytest.mark.sqlite_only


@pytest.fixture(autouse=True)
def virtual_world(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use virtual time, the longest random waits, and no rate limit on requests."""
    real_now = timezone.now

    def now() -> datetime:
        return real_now() if World.current is None else World.current.now

    monkeypatch.setattr(timezone, "now", now)
    monkeypatch.setattr(random, "uniform", lambda lowest, highest: highest)
    with override_settings(RECONNECTS_PER_ORGANIZATION=10_000):
        yield
    if World.current is not None:
        World.current.close()


def test_any_sequence_converges() -> None:
    run_state_machine_as_test(
        ConvergenceMachine,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=timedelta(seconds=90),
            derandomize=True,  # The same sequences every time: it fails for a reason, not by luck.
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


def test_each_fault_alone_converges() -> None:
    """Take each fault during a pairing, on a stable link, and before a new worker starts."""
    OBSERVED.clear()
    for fault in FAULTS:
        machine = new_machine()
        for who in (1, 0):
            machine.link(who)
        machine.work(0, None, STEPS, [fault])
        machine.converge()
        machine.work(0, None, STEPS, [fault])
        machine.disturb(0, "kill -9")
        machine.converge()
        machine.disconnect(0)
        machine.work(0, None, STEPS, [fault])
        machine.work(0, Method.QR, STEPS, [fault])
        machine.converge()
        machine.disconnect(0)
        machine.run_without_faults(0)
        machine.set_expected(0, NUMBERS[2])
        machine.work(0, Method.PHONE, STEPS, [fault])
        machine.work(0, None, STEPS, [fault])
        machine.teardown()
    for steps in (1, 3, 6, 10, 15, 20):
        disturbed_after(steps, "loss", "kill -9", "damage", "kill -9")
        disturbed_after(steps, "disconnect", "cancel", "expect", "deactivate", "activate")
    paired_while_whatsapp_is_unreachable()
    reconnected_while_a_logout_fails()
    linked_anew_beside_a_dead_login()
    dialled_through_a_faulty_proxy()
    assert set(RULES) == OBSERVED


@pytest.mark.parametrize("damage", ["damage", "loss"])
@pytest.mark.parametrize("fault", sorted([*AFTER_SCAN, OVERTIME]))
def test_fault_after_a_scan_into_a_broken_store_converges(fault: str, damage: str) -> None:
    machine = new_machine()
    machine.reconnect(0, Method.QR)
    machine.reconcile(machine.ids[0])
    machine.run_until_offered(0, "connected")
    machine.disturb(0, damage)
    machine.run_into_fault(0, fault)
    machine.waiting_connection_has_work()
    machine.teardown()


def test_phone_accepted_before_its_worker_died_is_linked() -> None:
    machine = new_machine()
    machine.reconnect(0, Method.QR)
    machine.reconcile(machine.ids[0])
    machine.run_until_offered(0, "accepted")
    machine.disturb(0, "kill -9")
    machine.poll()
    row = machine.row(0)
    assert (row.state, row.reason) == (State.RECONNECTING, Reason.SERVICE_RESTARTED)
    assert machine.world.stores == {(row.pk, row.store_name): row.number}
    machine.teardown()


@pytest.mark.parametrize("damage", ["damage", "unlinked", "locked"])
def test_cancelled_pairing_keeps_the_store_of_an_earlier_link(damage: str) -> None:
    machine = new_machine()
    machine.link(0)
    store = machine.row(0).store_name
    if damage == "damage":
        machine.disturb(0, damage)
    machine.run_into_fault(0, "crashed" if damage == "damage" else damage)
    machine.run_without_faults(0)
    assert machine.row(0).state == State.ACTION_NEEDED
    machine.reconnect(0, Method.QR)
    machine.reconcile(machine.ids[0])
    machine.run_until_offered(0, "scan")
    machine.perform_calls(0)
    assert machine.row(0).state == State.AWAITING_SCAN
    machine.request(0, "cancel")
    machine.run_without_faults(0)
    assert machine.row(0).state == State.DISCONNECTED
    assert (machine.row(0).pk, store) in machine.world.stores
    machine.disconnect(0)
    machine.run_without_faults(0)
    assert machine.world.stores == {}


def test_disconnect_during_a_ban_does_not_log_in() -> None:
    machine = new_machine()
    machine.link(0)
    machine.run_into_fault(0, "temporary ban")
    banned_until = machine.row(0).banned_until
    assert banned_until is not None
    machine.disconnect(0)
    assert machine.row(0).retry_at == banned_until, "`log_out` reads it"
    machine.run_without_faults(0)  # A login before the end of the ban fails the test.
    assert (machine.row(0).state, machine.row(0).retry_at) == (State.DISCONNECTED, None)
    assert machine.row(0).reason == Reason.DISCONNECTED_UNCONFIRMED


def ask_for_a_final_disconnect(machine: ConvergenceMachine) -> None:
    actions.request_final_disconnect(machine.ids[0], ALICE, confirmed=True)
    machine.required_stores.clear()
    machine.reconcile(machine.ids[0])


def wait_for_rounds(machine: ConvergenceMachine, rounds: int) -> None:
    """Let a disconnect try so many times. A login during a known ban fails the test."""
    for _ in range(rounds):
        machine.perform_calls(0)
        assert machine.world.points(machine.ids[0])[0].options() == (TIME_PASSED,)
        machine.world.take(machine.ids[0])


@pytest.mark.parametrize("known", ["before", "by the logout"])
def test_final_disconnect_waits_for_the_end_of_a_ban(known: str) -> None:
    machine = new_machine()
    machine.link(0)
    if known == "before":
        machine.run_into_fault(0, "temporary ban")
        ask_for_a_final_disconnect(machine)
    else:
        machine.kill_worker()
        machine.start_worker()
        ask_for_a_final_disconnect(machine)
        machine.run_until_offered(0, "temporary ban")
        machine.world.take(machine.ids[0], "temporary ban")
        machine.run_until_offered(0, TIME_PASSED)
        assert "banned" in machine.row(0).detail
    banned_until = machine.world.banned[machine.ids[0], machine.row(0).store_name]
    wait_for_rounds(machine, 3)
    ask_for_a_final_disconnect(machine)
    wait_for_rounds(machine, 3)
    row = machine.row(0)
    assert (row.reason, row.retry_at) == (Reason.DISCONNECTING, banned_until)
    machine.world.advance((banned_until - machine.world.now).total_seconds())
    machine.run_without_faults(0)
    row = machine.row(0)
    assert (row.state, row.reason) == (State.DISCONNECTED, Reason.DISCONNECTED)
    assert machine.world.now > banned_until and not machine.world.devices


def test_full_disk_at_a_takeover_ends_no_link() -> None:
    machine = new_machine()
    machine.link(0)
    machine.disturb(0, "kill -9")
    machine.poll()
    full_until = machine.world.now + timedelta(minutes=1)
    tries = 0
    while machine.world.now < full_until:
        tries += 1
        machine.run_into_fault(0, "no disk")
        row = machine.row(0)
        assert (row.state, row.reason) == (State.RECONNECTING, Reason.STORE_UNUSABLE)
        assert row.detail == "No space left on device"
        machine.run_until_offered(0, "no disk")
    assert tries > MAX_TRIES
    machine.run_without_faults(0)
    assert machine.row(0).state == State.CONNECTED


def test_machine_without_room_for_hosts_starts_none_for_each_link(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = new_machine()
    machine.link(0)
    machine.disturb(0, "kill -9")
    machine.poll()
    given: list[bool] = []
    open_client = machine.world.open

    async def note_dedicated(
        pk: int, store: str, dedicated: bool = False, proxy: str = ""
    ) -> ClientHandle:
        given.append(dedicated)
        return await open_client(pk, store, dedicated, proxy)

    monkeypatch.setattr(machine.world, "open", note_dedicated)
    for _ in range(DEDICATED_HOST_CRASHES + 1):
        machine.run_into_fault(0, "no host")
        machine.run_until_offered(0, "no host")
    assert given == [False] * (DEDICATED_HOST_CRASHES + 2)
    machine.run_without_faults(0)


@pytest.mark.parametrize(("hours", "left"), [(1.0, State.RECONNECTING), (0.0, State.ACTION_NEEDED)])
def test_errors_far_apart_end_no_task(
    monkeypatch: pytest.MonkeyPatch, hours: float, left: State
) -> None:
    machine = new_machine()
    machine.link(0)
    machine.disturb(0, "kill -9")
    errors: list[int] = []

    async def fail_after_a_while(task: ConnectionTask) -> None:
        await asyncio.sleep(3600 * (1.0 if len(errors) == MAX_TRIES else hours))
        errors.append(1)
        raise RuntimeError

    monkeypatch.setattr(ConnectionTask, "_run", fail_after_a_while)
    machine.poll()
    while len(errors) < MAX_TRIES:
        machine.world.take(machine.ids[0])
    machine.perform_calls(0)
    assert machine.row(0).state == left


@pytest.mark.parametrize(
    ("fault", "answer", "unlinked"),
    [("crashed", "told", True), ("crashed", "untold", False), ("temporary ban", "", False)],
)
def test_wrong_phone_is_logged_out_although_its_connection_broke(
    fault: str, answer: str, unlinked: bool
) -> None:
    machine = new_machine()
    machine.set_expected(0, NUMBERS[2])
    machine.reconnect(0, Method.QR)
    machine.reconcile(machine.ids[0])
    machine.run_until_offered(0, "scan")
    for step in ("scan", NUMBERS[0], "connected", fault, answer):
        if step:
            machine.run_until_offered(0, step)
        if step != "connected":
            machine.world.take(machine.ids[0], step)
    machine.run_without_faults(0)
    row = machine.row(0)
    assert (row.state, row.reason) == (State.ACTION_NEEDED, Reason.WRONG_NUMBER)
    still_linked = "" if unlinked else actions.STILL_LINKED
    assert row.detail == f"its number ends in {NUMBERS[0][-4:]}{still_linked}"
    assert bool(machine.world.devices) != unlinked
    assert not machine.world.stores
    machine.teardown()


def test_wrong_phone_that_a_dead_worker_left_is_logged_out_unheard() -> None:
    machine = new_machine()
    machine.set_expected(0, NUMBERS[2])
    machine.reconnect(0, Method.QR)
    machine.reconcile(machine.ids[0])
    machine.run_until_offered(0, "scan")
    for step in ("scan", NUMBERS[0]):
        machine.run_until_offered(0, step)
        machine.world.take(machine.ids[0], step)
    machine.run_until_offered(0, "connected")
    machine.disturb(0, "kill -9")
    machine.poll()
    (left,) = machine.world.stores
    machine.reconnect(0, Method.QR)
    machine.reconcile(machine.ids[0])
    machine.run_until_offered(0, "scan")
    assert left not in machine.world.stores
    assert left not in machine.world.resumed
    assert not machine.world.devices
    machine.teardown()


def test_timeout_at_the_moment_of_the_link_deletes_nothing() -> None:
    machine = new_machine()
    machine.reconnect(0, Method.QR)
    machine.reconcile(machine.ids[0])
    machine.run_until_offered(0, "closed")
    machine.disturb(0, "damage")
    machine.run_into_fault(0, OVERTIME)
    assert machine.world.stores.keys() == {(machine.row(0).pk, machine.row(0).store_name)}
    machine.teardown()


def test_ban_outlasts_the_worker() -> None:
    machine = new_machine()
    machine.link(0)
    machine.run_into_fault(0, "temporary ban")
    machine.disturb(0, "kill -9")
    machine.teardown()  # A login before the end of the ban fails the test.


def test_ban_outlasts_a_deactivation_of_the_organization() -> None:
    machine = new_machine()
    machine.link(0)
    machine.run_into_fault(0, "temporary ban")
    machine.request(0, "deactivate")
    machine.request(0, "activate")
    machine.teardown()  # A login before the end of the ban fails the test.


def test_deactivation_during_a_pairing_after_an_invalid_login_needs_action() -> None:
    machine = new_machine()
    machine.link(0)
    machine.run_into_fault(0, "refused")
    machine.reconnect(0, Method.QR)
    machine.run_into_fault(0, "forgotten")
    machine.run_until_offered(0, "scan")
    machine.request(0, "deactivate")
    machine.reconcile(machine.ids[0])
    machine.request(0, "activate")
    row = machine.row(0)
    assert (row.state, row.reason) == (State.ACTION_NEEDED, Reason.PAIRING_INTERRUPTED)
    machine.waiting_connection_has_work()
    machine.teardown()


def new_machine() -> ConvergenceMachine:
    machine = ConvergenceMachine()
    machine.begin()
    return machine


def paired_while_whatsapp_is_unreachable() -> None:
    for fault, reason in (
        ("unreachable", Reason.PAIRING_UNREACHABLE),
        ("unavailable", Reason.PAIRING_UNAVAILABLE),
    ):
        machine = new_machine()
        machine.reconnect(0, Method.QR)
        machine.run_into_fault(0, fault)
        machine.run_without_faults(0)
        row = machine.row(0)
        assert (row.state, row.reason) == (State.ACTION_NEEDED, reason)
        machine.teardown()


def reconnected_while_a_logout_fails() -> None:
    """An unconfirmed logout is recorded although a newer request exists."""
    machine = new_machine()
    machine.link(0)
    assert machine.row(0).state == State.CONNECTED
    machine.disconnect(0)
    machine.reconcile(machine.ids[0])
    machine.run_until_offered(0, "untold")
    machine.world.take(machine.ids[0], "untold")
    machine.reconnect(0, Method.QR)
    machine.converge()
    assert machine.row(0).state == State.CONNECTED
    events = ConnectionEvent.objects.filter(observation=Observation.LOGOUT_UNCONFIRMED)
    assert [(line.state, line.reason) for line in events] == [
        (State.CONNECTING, Reason.DISCONNECTED_UNCONFIRMED)
    ]
    machine.teardown()


def linked_anew_beside_a_dead_login() -> None:
    """A fresh code that is not used keeps the saved login; a used one replaces it."""
    machine = new_machine()
    machine.link(0)
    old = machine.row(0).store_name
    for ending in ("expired", "cancel"):
        machine.run_into_fault(0, "refused for long")
        assert machine.row(0).reason == Reason.LOGIN_STILL_REFUSED
        machine.reconnect(0, Method.QR, fresh=True)
        machine.reconcile(machine.ids[0])
        machine.run_until_offered(0, "scan")
        machine.perform_calls(0)
        row = machine.row(0)
        assert (row.state, row.store_name) == (State.AWAITING_SCAN, old)
        if ending == "cancel":
            machine.request(0, "cancel")
            machine.reconcile(machine.ids[0])
        while machine.row(0).state == State.AWAITING_SCAN:
            machine.run_into_fault(0, ending)
            machine.perform_calls(0)
        assert (machine.row(0).state, machine.row(0).reason) == (
            State.RECONNECTING,
            Reason.SAVED_LOGIN_KEPT,
        )
        assert (machine.row(0).pk, old) in machine.world.stores
        machine.converge()
        assert (machine.row(0).state, machine.row(0).store_name) == (State.CONNECTED, old)
    machine.run_into_fault(0, "refused for long")
    machine.reconnect(0, Method.QR, fresh=True)
    machine.run_into_fault(0, "untold")  # The old login's device cannot be logged out.
    machine.converge()
    row = machine.row(0)
    assert row.state == State.CONNECTED
    assert row.store_name != old
    assert machine.world.stores.keys() == {(row.pk, row.store_name)}
    machine.teardown()


def dialled_through_a_faulty_proxy() -> None:
    machine = new_machine()
    machine.world.proxied.add(machine.ids[0])
    reasons = {
        "proxy refuses": Reason.PROXY_REFUSED,
        "proxy lies": Reason.PROXY_UNTRUSTED,
        "proxy dead": Reason.PROXY_UNREACHABLE,
    }
    for fault in reasons:
        machine.reconnect(0, Method.QR)
        machine.run_into_fault(0, fault)
        row = machine.row(0)
        assert row.reason in (Reason.PAIRING_PROXY_FAILED, Reason.PROXY_UNREACHABLE), fault
    machine.converge()
    for fault, reason in reasons.items():
        values = actions.ProxyValues(fault, "http", "proxy.example", 3128, ("user", fault))
        actions.set_proxy(machine.organizations[0], values, ALICE)
        row = machine.row(0)
        assert (row.state, row.reason) == (State.RECONNECTING, Reason.PROXY_CHANGED)
        machine.run_into_fault(0, fault)
        row = machine.row(0)
        assert (row.state, row.reason) == (State.RECONNECTING, reason)
        machine.run_without_faults(0)
        assert machine.row(0).state == State.CONNECTED
    actions.remove_proxy(machine.organizations[0], ALICE)
    machine.converge()
    machine.teardown()


def disturbed_after(steps: int, *disturbances: str) -> None:
    """Disturb a task after so many steps of each new request, in several ways."""
    machine = new_machine()
    for what in disturbances:
        machine.work(0, Method.QR, steps, ["code lost", "lost", "unlinked"])
        machine.work(0, Method.QR, steps, [])
        if what in ("kill -9", "damage", "loss"):
            machine.disturb(0, what)
        elif what == "expect":
            machine.set_expected(0, NUMBERS[2])
        else:
            machine.request(0, what)
        machine.check_credentials()
        machine.waiting_connection_has_work()
        machine.disturb(0, "a poll")
        machine.check_credentials()
    machine.teardown()
