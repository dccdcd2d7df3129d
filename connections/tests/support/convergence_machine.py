"""A state machine of two organizations, their users, and workers that meet faults and die.

At the end of each sequence faults stop, and the connections must converge to the desired state.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from django.utils import timezone
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)
from hypothesis.strategies import integers, lists, sampled_from

from connections import actions
from connections.actions import (
    AlreadyConnected,
    NothingToCancel,
    OrganizationInactive,
    TemporarilyBanned,
)
from connections.lifecycle import PAIRING, Desired, Reason, State
from connections.models import Connection, ConnectionEvent, Method, Worker
from connections.tests.support.fake_client import ANSWERS, NUMBERS, Key
from connections.tests.support.fake_world import FAILURES, World
from connections.tests.support.task_driver import TaskDriver
from organizations.access import Actor
from organizations.actions import set_active, set_expected_number
from organizations.models import Organization

ALICE = Actor("alice")
MAX_ROUNDS = 30
WHO = integers(0, 1)  # index of an organization
FAULTS = sorted(ANSWERS | FAILURES.keys())

OBSERVED: set[str] = set()
"""The observations recorded in any of the sequences."""


class ConvergenceMachine(TaskDriver, RuleBasedStateMachine):
    """Two organizations, their users, the living worker, and WhatsApp."""

    @initialize()
    def begin(self) -> None:
        Organization.objects.all().delete()
        Worker.objects.all().delete()
        self.world = World(timezone.now())
        names = ("Acme", "Globex")
        self.organizations = [Organization.objects.create(name=name) for name in names]
        self.ids = [Connection.objects.of(found).pk for found in self.organizations]
        self.required_stores: set[Key] = set()  # that must still exist
        self.lost_stores: set[Key] = set()  # deleted by an operator
        self.start_worker()

    # --- Requests --------------------------------------------------------------------------------

    @rule(who=WHO, what=sampled_from(["disconnect", "cancel", "activate", "deactivate"]))
    def request(self, who: int, what: str) -> None:
        if what == "disconnect":
            self.disconnect(who)
        elif what == "cancel":
            with suppress(NothingToCancel):
                actions.request_cancel(self.ids[who], ALICE)
        else:
            set_active(self.organizations[who], what == "activate", ALICE)

    @rule(who=WHO, method=sampled_from(Method))
    def ask_for_fresh_code(self, who: int, method: Method) -> None:
        self.reconnect(who, method, fresh=True)

    @rule(who=WHO, number=sampled_from(["", *NUMBERS]))
    def set_expected(self, who: int, number: str) -> None:
        set_expected_number(self.organizations[who], number, ALICE)

    def disconnect(self, who: int) -> None:
        actions.request_disconnect(self.ids[who], ALICE)
        self.required_stores = {key for key in self.required_stores if key[0] != self.ids[who]}

    def reconnect(self, who: int, method: Method, fresh: bool = False) -> None:
        typed = self.world.allowed_number(self.ids[who]) if method == Method.PHONE else ""
        try:
            actions.request_reconnect(self.ids[who], ALICE, method, typed, fresh_code=fresh)
        except OrganizationInactive:
            assert not self.row(who).organization.is_active
        except AlreadyConnected:
            assert self.row(who).state == State.CONNECTED
        except TemporarilyBanned:
            assert self.row(who).banned_until

    # --- Work and faults -------------------------------------------------------------------------

    @rule(
        who=WHO,
        method=sampled_from([None, Method.QR, Method.QR, Method.PHONE]),
        steps=sampled_from([0, 1, 3, 8, 25, 25]),
        faults=lists(sampled_from(FAULTS), min_size=1, max_size=4, unique=True),
    )
    def work(self, who: int, method: Method | None, steps: int, faults: list[str]) -> None:
        """Request a reconnect (with a method), then run some steps of the task, into faults."""
        pk = self.ids[who]
        if method is not None:
            self.reconnect(who, method)
        self.reconcile(pk)
        for _ in range(steps):
            if self.is_idle(pk) and not faults:
                return
            offered = self.options(who)
            answer = next((fault for fault in faults if fault in offered), "")
            if answer:
                faults.remove(answer)
            if pk in self.task_runner.running and self.world.take(pk, answer):
                self.check_credentials()

    @rule(who=WHO, what=sampled_from(["kill -9", "a poll", "a minute", "a day", "damage", "loss"]))
    def disturb(self, who: int, what: str) -> None:
        if what == "kill -9":
            self.kill_worker()
            self.start_worker()
        elif what == "a poll":
            self.poll()
        elif what in ("a minute", "a day"):
            self.world.advance(timedelta(**{what[2:] + "s": 1}).total_seconds())
        else:
            self.damage_stores({key for key in self.world.stores if key[0] == self.ids[who]}, what)

    def damage_stores(self, stores: set[Key], what: str) -> None:
        """Damage stores, as a disk does, or delete them, as an operator does."""
        if what == "damage":
            self.world.damaged |= stores
            return
        for pk, store in stores:
            self.world.remove(pk, only=store)
        self.lost_stores |= stores
        self.required_stores -= stores

    def poll(self) -> None:
        """Reconcile all pending work, as the supervisor does when it polls."""
        for pk in self.run_supervisor(self.task_runner.find_work()):
            self.reconcile(pk)

    # --- Invariants ------------------------------------------------------------------------------

    @invariant()
    def check_credentials(self) -> None:
        """A linked store stays until another link replaces it or someone disconnects."""
        linked = Connection.objects.exclude(store_name="").exclude(logout_pending=True)
        for key in set(linked.values_list("pk", "store_name")) - self.lost_stores:
            self.required_stores = {old for old in self.required_stores if old[0] != key[0]} | {key}
        assert self.required_stores <= set(self.world.stores), (
            self.required_stores,
            self.world.stores,
        )

    @invariant()
    def waiting_connection_has_work(self) -> None:
        """A connection that people wait for has a task, or work that starts one."""
        for who in (0, 1):
            row = self.row(who)
            assert (row.desired, row.state) != (Desired.CONNECTED, State.DISCONNECTED)
            assert row.state in PAIRING or row.open_attempt() is None
            if row.organization.is_active and row.state in (State.CONNECTING, State.RECONNECTING):
                known = row.pk in self.task_runner.running
                assert known or row.needs_task or row.worker_id != self.fake_worker.worker.pk, (
                    row.reason
                )

    # --- Convergence -----------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "ids"):
            return
        self.converge()
        self.world.close()

    def converge(self) -> None:
        """Run without faults. Assert that all connections reach their desired state."""
        OBSERVED.update(ConnectionEvent.objects.values_list("observation", flat=True))
        self.world.clear_faults()
        for organization in self.organizations:
            set_active(organization, True, ALICE)
        for _ in range(MAX_ROUNDS):
            self.poll()
            for pk in self.ids:
                self.run_until_idle(pk)
                self.check_credentials()
            for who in (0, 1):
                self.act_as_person(who)
            self.world.advance(60)
            if self.has_converged(0) and self.has_converged(1):
                OBSERVED.update(ConnectionEvent.objects.values_list("observation", flat=True))
                return
        rows = list(Connection.objects.values_list("state", "reason", "desired", "store_name"))
        raise AssertionError(f"not converged after {MAX_ROUNDS} rounds: {rows}")

    def act_as_person(self, who: int) -> None:
        """Do what the page asks for: change the number, then reconnect or disconnect."""
        row = self.row(who)
        if row.state != State.ACTION_NEEDED:
            return
        if row.reason in (Reason.WRONG_NUMBER, Reason.NUMBER_IN_USE):
            set_expected_number(self.organizations[who], "", ALICE)
        if row.desired == Desired.CONNECTED:
            actions.request_reconnect(row.pk, ALICE)
        else:
            self.disconnect(who)

    def has_converged(self, who: int) -> bool:
        row = self.row(who)
        if not self.is_idle(row.pk):
            return False
        if row.desired != row.state or row.started_generation != row.generation:
            return False
        assert row.open_attempt() is None
        assert not row.logout_pending
        assert row.retry_at is None or row.retry_at <= timezone.now()
        if row.desired == Desired.CONNECTED:
            assert row.pk in self.task_runner.running
            key = (row.pk, row.store_name)
            assert key in self.world.devices
            assert key in self.lost_stores or self.world.stores[key] == row.number
        return True
