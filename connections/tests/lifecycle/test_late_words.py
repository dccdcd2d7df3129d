"""No zombies: a write of the past, repeated at any later moment, changes no row.

A life of a connection is recorded: every write of a worker, as it was, with the right it had then.
Each of them comes again later, as from a worker that stood still in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies import booleans, integers, sampled_from

from connections import actions
from connections.actions import Fence, Superseded
from connections.lifecycle import AnyObservation, Observation, Reason, State
from connections.models import Connection, ConnectionEvent, PairingAttempt, Worker
from connections.tests.support.fake_worker import (
    CODE,
    CODE_LASTS,
    NUMBER,
    PAIRING_LASTS,
    FakeWorker,
)
from connections.tests.support.rows import everything
from organizations.access import Actor
from organizations.models import Organization

pytestmark = pytest.mark.sqlite_only

ALICE = Actor("alice")
REFUSED: set[str] = set()
"""The writes that came too late in any of the lives."""


@dataclass(frozen=True)
class Written:
    """One write of the past."""

    name: str
    fence: Fence
    write: Callable[[], object]


class LateWords(RuleBasedStateMachine):
    """One connection; requests, pairings, links and takeovers; and who comes too late."""

    @initialize()
    def begin(self) -> None:
        for table in (ConnectionEvent, PairingAttempt, Connection, Worker, Organization):
            table._default_manager.all().delete()
        self.id = Connection.objects.of(Organization.objects.create(name="Acme")).pk
        self.hand = FakeWorker()
        self.store_name = ""
        self.past: list[Written] = []
        self.link()

    # --- A life ----------------------------------------------------------------------------------

    @rule(what=sampled_from(["reconnect", "disconnect", "disconnect and reconnect", "cancel"]))
    def ask(self, what: str) -> None:
        try:
            if "disconnect" in what:
                actions.request_disconnect(self.id, ALICE)
            if what == "cancel":
                actions.request_cancel(self.id, ALICE)
            elif "reconnect" in what:
                actions.request_reconnect(self.id, ALICE)
        except (actions.AlreadyConnected, actions.NothingToCancel):
            return

    @rule(linked=booleans())
    def take_over(self, linked: bool) -> None:
        """Another worker comes; the phone may have accepted the code of the one before."""
        self.hand = FakeWorker()
        actions.claim(self.id, self.hand.worker, lambda _, store: NUMBER if linked else "")

    @rule()
    def clean_up(self) -> None:
        fence = self.take()
        if self.row().logout_pending:
            self.write("forget", fence, actions.forget_credentials, Reason.DISCONNECTED)

    @rule()
    def type_code(self) -> None:
        self.show_codes(phone=True)

    def show_codes(self, phone: bool = False) -> tuple[Fence, PairingAttempt]:
        row = self.row()
        if row.state == State.CONNECTED:
            self.ask("disconnect and reconnect")
        elif row.desired == "disconnected":
            self.ask("reconnect")
        self.clean_up()
        fence = self.take()
        attempt = self.write("begin_pairing", fence, actions.begin_pairing, PAIRING_LASTS)
        assert isinstance(attempt, PairingAttempt)
        if phone:
            self.write(
                "show_phone_code", fence, actions.show_phone_code, attempt.pk, "ABCD", 6, CODE_LASTS
            )
        else:
            self.write("show_code", fence, actions.show_code, attempt.pk, CODE, 1, 6, CODE_LASTS)
        return fence, attempt

    @rule()
    def lose_code(self) -> None:
        fence, attempt = self.show_codes()
        self.write("lose_code", fence, actions.lose_code, attempt.pk)

    @rule()
    def link(self) -> None:
        fence, attempt = self.show_codes()
        self.write("observe", fence, actions.record_event, Observation.CODE_ACCEPTED)
        self.write("link", fence, actions.link, attempt, NUMBER)

    @rule(
        seen=sampled_from(
            [Reason.LINK_LOST, Reason.RESUMED, Reason.FORGOTTEN]
            + [Reason.TEMPORARILY_BANNED, Reason.SESSION_BROKE, Reason.BANNED]
        )
    )
    def observe(self, seen: AnyObservation) -> None:
        self.write("observe", self.take(), actions.record_event, seen)

    # --- Who comes too late ----------------------------------------------------------------------

    @precondition(lambda self: self.past)
    @rule(which=integers(0, 1_000))
    def come_late(self, which: int) -> None:
        self.repeat(self.past[which % len(self.past)])

    def teardown(self) -> None:
        """At the end they all come once more, the oldest first."""
        for written in getattr(self, "past", []):
            self.repeat(written)

    def repeat(self, written: Written) -> None:
        row, fence = self.row(), written.fence
        may = fence.claim == row.claim and fence.generation == row.generation
        # The end of a disconnect counts whatever has been requested since, for its own worker.
        if may or (written.name == "forget" and fence.claim == row.claim):
            return
        before = everything()
        with pytest.raises(Superseded), transaction.atomic():
            written.write()
        assert everything() == before
        REFUSED.add(written.name)

    # --- Helpers ---------------------------------------------------------------------------------

    def row(self) -> Connection:
        return Connection.objects.get(pk=self.id)

    def take(self) -> Fence:
        fence = self.hand.claim(self.row())
        self.write("begin", fence, actions.mark_started)
        return fence

    def write(
        self, name: str, fence: Fence, write: Callable[..., object], *arguments: object
    ) -> object:
        self.past.append(Written(name, fence, lambda: write(fence, *arguments)))
        return write(fence, *arguments)


@pytest.mark.django_db
@override_settings(RECONNECTS_PER_ORGANIZATION=10_000)
def test_a_write_of_the_past_changes_nothing() -> None:
    REFUSED.clear()
    run_state_machine_as_test(
        LateWords,
        settings=settings(
            max_examples=15,
            stateful_step_count=15,
            deadline=timedelta(seconds=90),
            derandomize=True,  # The same sequences every time: it fails for a reason, not by luck.
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    writes = {"begin", "begin_pairing", "show_code", "show_phone_code", "lose_code"}
    assert writes | {"observe", "link", "forget"} == REFUSED
