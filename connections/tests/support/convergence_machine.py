"""Two organizations, their people, a worker in trouble, its death and the next worker.

Whatever they do in whatever order, the end is a fair worker and a patient person, and what is
wanted has to come true.
"""

from __future__ import annotations

from collections.abc import Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

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
from connections.tests.support.fake_worker import FakeWorker
from connections.tests.support.fake_world import FAILURES, Call, World
from connections.worker.tasks.sessions import Sessions
from organizations.access import Actor
from organizations.actions import set_active, set_expected_number
from organizations.models import Organization

ALICE = Actor("alice")
ROUNDS = 30
STEPS_OF_A_ROUND = 300
WHO = integers(0, 1)  # whose turn it is
TROUBLES = sorted(ANSWERS | FAILURES.keys())

T = TypeVar("T")

SEEN: set[str] = set()
"""What was observed in any of the sequences."""


class Settles(RuleBasedStateMachine):
    """Two organizations, their people, the worker that lives at the moment, and WhatsApp."""

    @initialize()
    def begin(self) -> None:
        Organization.objects.all().delete()
        Worker.objects.all().delete()
        self.world = World(timezone.now())
        names = ("Acme", "Globex")
        self.organizations = [Organization.objects.create(name=name) for name in names]
        self.ids = [Connection.objects.of(found).pk for found in self.organizations]
        self.owed: set[Key] = set()  # credentials that must still be there
        self.missing: set[Key] = set()  # that an operator has deleted
        self.start()

    # --- What people ask for ---------------------------------------------------------------------

    @rule(who=WHO, what=sampled_from(["disconnect", "cancel", "activate", "deactivate"]))
    def ask(self, who: int, what: str) -> None:
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
    def expect(self, who: int, number: str) -> None:
        set_expected_number(self.organizations[who], number, ALICE)

    def disconnect(self, who: int) -> None:
        actions.request_disconnect(self.ids[who], ALICE)
        self.owed = {key for key in self.owed if key[0] != self.ids[who]}

    def reconnect(self, who: int, method: Method, fresh: bool = False) -> None:
        typed = self.world.fitting(self.ids[who]) if method == Method.PHONE else ""
        try:
            actions.request_reconnect(self.ids[who], ALICE, method, typed, fresh_code=fresh)
        except OrganizationInactive:
            assert not self.row(who).organization.is_active
        except AlreadyConnected:
            assert self.row(who).state == State.CONNECTED
        except TemporarilyBanned:
            assert self.row(who).banned_until

    # --- What the worker does, and what goes wrong -----------------------------------------------

    @rule(
        who=WHO,
        method=sampled_from([None, Method.QR, Method.QR, Method.PHONE]),
        steps=sampled_from([0, 1, 3, 8, 25, 25]),
        troubles=lists(sampled_from(TROUBLES), min_size=1, max_size=4, unique=True),
    )
    def work(self, who: int, method: Method | None, steps: int, troubles: list[str]) -> None:
        """Someone presses Reconnect, or no one; the task goes some steps, into troubles."""
        pk = self.ids[who]
        if method is not None:
            self.reconnect(who, method)
        self.reconcile(pk)
        for _ in range(steps):
            if self.rests(pk) and not troubles:
                return
            offered = self.options(who)
            answer = next((trouble for trouble in troubles if trouble in offered), "")
            if answer:
                troubles.remove(answer)
            if pk in self.sessions.running and self.world.take(pk, answer):
                self.look_after_credentials()

    @rule(who=WHO, what=sampled_from(["kill -9", "a poll", "a minute", "a day", "damage", "loss"]))
    def happen(self, who: int, what: str) -> None:
        if what == "kill -9":
            self.die()
            self.start()
        elif what == "a poll":
            self.poll()
        elif what in ("a minute", "a day"):
            self.world.advance(timedelta(**{what[2:] + "s": 1}).total_seconds())
        else:
            self.harm({key for key in self.world.stores if key[0] == self.ids[who]}, what)

    def harm(self, stores: set[Key], what: str) -> None:
        """The disk, or an operator."""
        if what == "damage":
            self.world.damaged |= stores
            return
        for pk, store in stores:
            self.world.remove(pk, only=store)
        self.missing |= stores
        self.owed -= stores

    def poll(self) -> None:
        """As the supervisor looks by itself."""
        for pk in self.complete(self.sessions.find_work()):
            self.reconcile(pk)

    # --- What is always true ---------------------------------------------------------------------

    @invariant()
    def look_after_credentials(self) -> None:
        """A linked store stays until another link replaces it or someone disconnects."""
        linked = Connection.objects.exclude(store_name="").exclude(logout_pending=True)
        for key in set(linked.values_list("pk", "store_name")) - self.missing:
            self.owed = {old for old in self.owed if old[0] != key[0]} | {key}
        assert self.owed <= set(self.world.stores), (self.owed, self.world.stores)

    @invariant()
    def what_waits_is_looked_after(self) -> None:
        """Nothing says "wait" while no one has anything to do for it."""
        for who in (0, 1):
            row = self.row(who)
            assert (row.desired, row.state) != (Desired.CONNECTED, State.DISCONNECTED)
            assert row.state in PAIRING or row.open_attempt() is None
            if row.organization.is_active and row.state in (State.CONNECTING, State.RECONNECTING):
                known = row.pk in self.sessions.running
                assert known or row.wants_session or row.worker_id != self.hand.worker.pk, (
                    row.reason
                )

    # --- Once faults stop ------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "ids"):
            return
        self.settle()
        self.world.close()

    def settle(self) -> None:
        SEEN.update(ConnectionEvent.objects.values_list("observation", flat=True))
        self.world.heal()
        for organization in self.organizations:
            set_active(organization, True, ALICE)
        for _ in range(ROUNDS):
            self.poll()
            for pk in self.ids:
                self.run_to_rest(pk)
                self.look_after_credentials()
            for who in (0, 1):
                self.help(who)
            self.world.advance(60)
            if self.settled(0) and self.settled(1):
                SEEN.update(ConnectionEvent.objects.values_list("observation", flat=True))
                return
        told = list(Connection.objects.values_list("state", "reason", "desired", "store_name"))
        raise AssertionError(f"not settled after {ROUNDS} rounds: {told}")

    def run_to_rest(self, pk: int) -> None:
        for _ in range(STEPS_OF_A_ROUND):
            if self.rests(pk):
                return
            self.world.take(pk)
        raise AssertionError(f"a task without end: {self.world.points(pk)}")

    def help(self, who: int) -> None:
        """A person does what the page asks for, and presses the button for what they want."""
        row = self.row(who)
        if row.state != State.ACTION_NEEDED:
            return
        if row.reason in (Reason.WRONG_NUMBER, Reason.NUMBER_IN_USE):
            set_expected_number(self.organizations[who], "", ALICE)
        if row.desired == Desired.CONNECTED:
            actions.request_reconnect(row.pk, ALICE)
        else:
            self.disconnect(who)

    def settled(self, who: int) -> bool:
        row = self.row(who)
        if not self.rests(row.pk):
            return False
        if row.desired != row.state or row.started_generation != row.generation:
            return False
        assert row.open_attempt() is None
        assert not row.logout_pending
        assert row.retry_at is None or row.retry_at <= timezone.now()
        if row.desired == Desired.CONNECTED:
            assert row.pk in self.sessions.running
            key = (row.pk, row.store_name)
            assert key in self.world.devices
            assert key in self.missing or self.world.stores[key] == row.number
        return True

    # --- Helpers ---------------------------------------------------------------------------------

    def row(self, who: int) -> Connection:
        return Connection.objects.select_related("organization").get(pk=self.ids[who])

    def link(self, who: int, method: Method = Method.QR) -> None:
        """Link a phone, without any fault, until nothing is left to do."""
        self.reconnect(who, method)
        self.go_on(who)

    def go_on(self, who: int) -> None:
        """Let the task go on without any fault until nothing is left to do."""
        self.reconcile(self.ids[who])
        self.run_to_rest(self.ids[who])
        self.look_after_credentials()

    def meet(self, who: int, trouble: str) -> None:
        """Go on until this trouble may come, let it come, and let the task write it down."""
        pk = self.ids[who]
        self.reconcile(pk)
        self.reach(who, trouble)
        lines = ConnectionEvent.objects.filter(connection=pk)
        before = lines.count()
        self.world.take(pk, trouble)
        while lines.count() == before and not self.rests(pk) and trouble not in self.options(who):
            self.world.take(pk)
        self.look_after_credentials()

    def reach(self, who: int, answer: str) -> None:
        """Go on without any fault until this answer may come."""
        for _ in range(STEPS_OF_A_ROUND):
            if answer in self.options(who):
                return
            self.world.take(self.ids[who])
        raise AssertionError(f"{answer!r} is never offered: {self.options(who)}")

    def write_down(self, who: int) -> None:
        """Perform all that the task asks of the database and the stores at the moment."""
        pk = self.ids[who]
        while any(isinstance(point, Call) for point in self.world.points(pk)):
            self.world.take(pk)
            self.look_after_credentials()

    def rests(self, pk: int) -> bool:
        """Whether the connection's task has ended, or does nothing but hold a link."""
        return pk not in self.sessions.running or self.world.is_held(pk)

    def options(self, who: int) -> set[str]:
        """Return what may come of what the tasks of an organization wait for."""
        points = self.world.points(self.ids[who])
        return {option for point in points for option in point.options()}

    def start(self) -> None:
        self.hand = FakeWorker()
        self.hand.live()
        context = self.world.context_for(self.hand.worker)
        self.sessions = Sessions(
            context, is_held=lambda: True, capacity=lambda: None, wake=lambda connection_id: None
        )

    def die(self) -> None:
        """The worker is killed in the middle of whatever it does."""
        self.hand.die()
        self.world.kill_everything(lambda: self.complete(self.sessions.drop()))

    def reconcile(self, pk: int) -> None:
        """As the supervisor does when it is woken. A task that goes on meanwhile meets no fault."""
        self.hand.live()
        self.complete(self.sessions.reconcile(pk), pk)

    def complete(self, what: Coroutine[Any, Any, T], pk: int = 0) -> T:
        """Run something of the supervisor's to its end."""
        task = self.world.loop.create_task(what, name=f"supervisor {pk}")
        for _ in range(STEPS_OF_A_ROUND):
            self.world.loop.run_until_idle()
            if task.done():
                return task.result()
            self.world.take(pk)
        raise AssertionError(f"not done: {task}, {self.world.points(pk)}")
