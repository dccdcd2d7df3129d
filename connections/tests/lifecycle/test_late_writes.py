"""A superseded write, repeated at any later moment, changes no row.

Each write of a worker is recorded with its fence and repeated later, as by a worker that stood
still in between.
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
"""The names of the writes that were refused in any of the sequences."""


@dataclass(frozen=True)
class RecordedWrite:
    """A recorded write."""

    name: str
    fence: Fence
    write: Callable[[], object]


class LateWrites(RuleBasedStateMachine):
    """One connection: requests, pairings, links, takeovers, and late writes."""

    @initialize()
    def begin(self) -> None:
        for table in (ConnectionEvent, PairingAttempt, Connection, Worker, Organization):
            table._default_manager.all().delete()
        self.id = Connection.objects.of(Organization.objects.create(name="Acme")).pk
        self.fake_worker = FakeWorker()
        self.store_name = ""
        self.writes: list[RecordedWrite] = []
        self.link()

    # --- Requests and writes ---------------------------------------------------------------------

    @rule(what=sampled_from(["reconnect", "disconnect", "disconnect and reconnect", "cancel"]))
    def request(self, what: str) -> None:
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
        """A new worker claims the connection; a phone may have been linked by the old one."""
        self.fake_worker = FakeWorker()
        actions.claim(self.id, self.fake_worker.worker, lambda _, store: NUMBER if linked else "")

    @rule()
    def clean_up(self) -> None:
        fence = self.claim_and_start()
        if self.row().logout_pending:
            self.write("forget", fence, actions.forget_credentials, Reason.DISCONNECTED)

    @rule()
    def type_code(self) -> None:
        self.show_codes(phone=True)

    def show_codes(self, phone: bool = False) -> tuple[Fence, PairingAttempt]:
        row = self.row()
        if row.state == State.CONNECTED:
            self.request("disconnect and reconnect")
        elif row.desired == "disconnected":
            self.request("reconnect")
        self.clean_up()
        fence = self.claim_and_start()
        attempt = self.write("start_pairing", fence, actions.start_pairing, PAIRING_LASTS)
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
        observation=sampled_from(
            [Reason.LINK_LOST, Reason.RESUMED, Reason.FORGOTTEN]
            + [Reason.TEMPORARILY_BANNED, Reason.SESSION_BROKE, Reason.BANNED]
        )
    )
    def observe(self, observation: AnyObservation) -> None:
        self.write("observe", self.claim_and_start(), actions.record_event, observation)

    # --- Late writes -----------------------------------------------------------------------------

    @precondition(lambda self: self.writes)
    @rule(which=integers(0, 1_000))
    def repeat_one(self, which: int) -> None:
        self.repeat(self.writes[which % len(self.writes)])

    def teardown(self) -> None:
        """Repeat all writes once more, the oldest first."""
        for recorded in getattr(self, "writes", []):
            self.repeat(recorded)

    def repeat(self, recorded: RecordedWrite) -> None:
        row, fence = self.row(), recorded.fence
        is_current = fence.claim == row.claim and fence.generation == row.generation
        # Its own worker may complete a disconnect although newer requests exist.
        if is_current or (recorded.name == "forget" and fence.claim == row.claim):
            return
        before = everything()
        with pytest.raises(Superseded), transaction.atomic():
            recorded.write()
        assert everything() == before
        REFUSED.add(recorded.name)

    # --- Helpers ---------------------------------------------------------------------------------

    def row(self) -> Connection:
        return Connection.objects.get(pk=self.id)

    def claim_and_start(self) -> Fence:
        fence = self.fake_worker.claim(self.row())
        self.write("begin", fence, actions.mark_started)
        return fence

    def write(
        self, name: str, fence: Fence, write: Callable[..., object], *arguments: object
    ) -> object:
        self.writes.append(RecordedWrite(name, fence, lambda: write(fence, *arguments)))
        return write(fence, *arguments)


@pytest.mark.django_db
@override_settings(RECONNECTS_PER_ORGANIZATION=10_000)
def test_superseded_write_changes_no_row() -> None:
    REFUSED.clear()
    run_state_machine_as_test(
        LateWrites,
        settings=settings(
            max_examples=15,
            stateful_step_count=15,
            deadline=timedelta(seconds=90),
            derandomize=True,  # The same sequences in every run.
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    writes = {"begin", "start_pairing", "show_code", "show_phone_code", "lose_code"}
    assert writes | {"observe", "link", "forget"} == REFUSED
