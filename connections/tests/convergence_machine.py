"""Two organizations, their people, a worker in trouble, its death and the next worker.

Whatever they do in whatever order, the end is a fair worker and a patient person, and what is
wanted has to come true.
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
from connections.tests.fake_worker import FakeWorker
from connections.tests.session_model import (
    NUMBERS,
    REST,
    TROUBLES,
    Key,
    SessionModel,
    Steps,
    World,
)
from connections.worker.pending_work import pending_connections, unowned_connections
from organizations.actions import set_active, set_expected_number
from organizations.actors import Actor
from organizations.models import Organization

ALICE = Actor("alice")
ROUNDS = 30
STEPS_OF_A_ROUND = 60
WHO = integers(0, 1)  # whose turn it is

WORLD = World(timezone.now())
SEEN: set[str] = set()
"""What was observed in any of the sequences."""


class Running:
    """A session model and how far it has come."""

    def __init__(self, model: SessionModel) -> None:
        self.model = model
        self.steps: Steps[None] = model.run()
        self.options: tuple[str, ...] | None = ()
        self.take()

    @property
    def done(self) -> bool:
        return self.options is None

    def take(self, answer: str = "") -> None:
        """One step, with one of the answers it asked for, else with the faultless one."""
        if self.options is None:
            return
        try:
            if not self.options:
                self.options = next(self.steps)
            else:
                offered = answer in self.options
                self.options = self.steps.send(answer if offered else self.options[0])
        except StopIteration:
            self.options = None


class Settles(RuleBasedStateMachine):
    """Two organizations, their people, the worker that lives at the moment, and WhatsApp."""

    @initialize()
    def begin(self) -> None:
        Organization.objects.all().delete()
        Worker.objects.all().delete()
        WORLD.__init__(WORLD.now)  # type: ignore[misc]
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
        typed = WORLD.fitting(self.ids[who]) if method == Method.PHONE else ""
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
        steps=sampled_from([0, 1, 3, 6, 12, 12]),
        troubles=lists(sampled_from(TROUBLES), min_size=1, max_size=4, unique=True),
    )
    def work(self, who: int, method: Method | None, steps: int, troubles: list[str]) -> None:
        """Someone presses Reconnect, or no one; the session goes some steps, into troubles."""
        if method is not None:
            self.reconnect(who, method)
        self.reconcile(self.ids[who])
        running = self.running.get(self.ids[who])
        for _ in range(steps if running else 0):
            assert running is not None
            next_one = [trouble for trouble in troubles if trouble in (running.options or ())]
            for trouble in next_one[:1]:
                troubles.remove(trouble)
            running.take(next_one[0] if next_one else "")
            self.look_after_credentials()

    @rule(who=WHO, what=sampled_from(["kill -9", "a poll", "a minute", "a day", "damage", "loss"]))
    def happen(self, who: int, what: str) -> None:
        if what == "kill -9":
            self.hand.die()
            self.start()
        elif what == "a poll":
            self.poll()
        elif what in ("a minute", "a day"):
            WORLD.now += timedelta(**{what[2:] + "s": 1})
        else:
            self.harm({key for key in WORLD.stores if key[0] == self.ids[who]}, what)

    def harm(self, stores: set[Key], what: str) -> None:
        """The disk, or an operator."""
        if what == "damage":
            WORLD.damaged |= stores
            return
        for pk, store in stores:
            WORLD.remove(pk, only=store)
        self.missing |= stores
        self.owed -= stores

    def poll(self) -> None:
        """As the supervisor looks by itself."""
        running = frozenset(pk for pk, found in self.running.items() if not found.done)
        urgent, others = unowned_connections(unbegun=True), unowned_connections(unbegun=False)
        for pk in [*pending_connections(self.hand.worker, running), *others, *urgent]:
            self.reconcile(pk)

    # --- What is always true ---------------------------------------------------------------------

    @invariant()
    def look_after_credentials(self) -> None:
        """A linked store stays until another link replaces it or someone disconnects."""
        linked = Connection.objects.exclude(store_name="").exclude(logout_pending=True)
        for key in set(linked.values_list("pk", "store_name")) - self.missing:
            self.owed = {old for old in self.owed if old[0] != key[0]} | {key}
        assert self.owed <= set(WORLD.stores), (self.owed, WORLD.stores)

    @invariant()
    def what_waits_is_looked_after(self) -> None:
        """Nothing says "wait" while no one has anything to do for it."""
        for who in (0, 1):
            row = self.row(who)
            assert (row.desired, row.state) != (Desired.CONNECTED, State.DISCONNECTED)
            assert row.state in PAIRING or row.open_attempt() is None
            if row.organization.is_active and row.state in (State.CONNECTING, State.RECONNECTING):
                known = row.pk in self.running and not self.running[row.pk].done
                assert known or row.wants_session or row.worker_id != self.hand.worker.pk, (
                    row.reason
                )

    # --- Once faults stop ------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "ids"):
            return
        self.settle()

    def settle(self) -> None:
        SEEN.update(ConnectionEvent.objects.values_list("observation", flat=True))
        for organization in self.organizations:
            set_active(organization, True, ALICE)
        for _ in range(ROUNDS):
            self.poll()
            for pk in self.running:
                self.run_to_rest(pk)
                self.look_after_credentials()
            for who in (0, 1):
                self.help(who)
            WORLD.now += timedelta(seconds=2)
            if self.settled(0) and self.settled(1):
                return
        told = list(Connection.objects.values_list("state", "reason", "desired", "store_name"))
        raise AssertionError(f"not settled after {ROUNDS} rounds: {told}")

    def run_to_rest(self, pk: int) -> None:
        running = self.running[pk]
        for _ in range(STEPS_OF_A_ROUND):
            if running.options is None or running.options[0] == REST:
                return
            running.take()
        raise AssertionError(f"a session without end: {running.options}")

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
        running = self.running.get(row.pk)
        rests = running is None or running.options in (None, ()) or running.options[0] == REST
        if not rests or row.desired != row.state or row.started_generation != row.generation:
            return False
        assert row.open_attempt() is None
        assert not row.logout_pending
        assert row.retry_at is None or row.retry_at <= timezone.now()
        if row.desired == Desired.CONNECTED:
            assert running is not None and not running.done
            key = (row.pk, row.store_name)
            assert key in WORLD.devices
            assert key in self.missing or WORLD.stores[key] == row.number
        return True

    # --- Helpers ---------------------------------------------------------------------------------

    def row(self, who: int) -> Connection:
        return Connection.objects.select_related("organization").get(pk=self.ids[who])

    def options(self, who: int) -> tuple[str, ...]:
        """Which answers the session waits for."""
        running = self.running.get(self.ids[who])
        return running.options or () if running else ()

    def start(self) -> None:
        self.hand = FakeWorker()
        self.hand.live()
        self.running: dict[int, Running] = {}

    def reconcile(self, pk: int) -> None:
        """As `Supervisor._reconcile`."""
        self.hand.live()
        claimed = actions.claim(pk, self.hand.worker, WORLD.linked_number)
        assert claimed is not None
        running = self.running.get(pk)
        wanted = claimed.wants_session
        if running is not None:
            newest = running.model.fence.generation == claimed.generation
            rests = not claimed.organization.is_active and not claimed.logout_pending
            if newest and (not wanted if running.done else not rests):
                return
            while running.model.disconnecting and not running.done:
                running.take()
            running.options = None
        if wanted:
            self.running[pk] = Running(SessionModel(WORLD, claimed))
        elif running is not None:
            running.model.pause()
