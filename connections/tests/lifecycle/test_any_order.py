"""Requests, observations, takeovers and late writes in any order keep the rows consistent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies import booleans, integers, none, one_of, sampled_from

from connections import actions
from connections.actions import (
    GONE_AT_WHATSAPP,
    AlreadyConnected,
    Fence,
    NothingToCancel,
    NumberRejected,
    OrganizationInactive,
    Superseded,
    TemporarilyBanned,
)
from connections.lifecycle import (
    LIVE,
    PAIRING,
    RULES,
    AnyObservation,
    Desired,
    Observation,
    Reason,
    State,
)
from connections.models import Connection, PairingAttempt
from connections.tests.support.fake_worker import (
    CODE_LASTS,
    NUMBER,
    PAIRING_LASTS,
    FakeWorker,
    nobody,
    overdue,
)
from connections.tests.support.rows import everything
from organizations.access import Actor
from organizations.actions import set_active, set_expected_number
from organizations.models import Organization

pytestmark = pytest.mark.sqlite_only

ALICE = Actor("alice")
OTHER_NUMBER = "491701234567"  # of another organization's phone
NOW = timezone.now()
RETRY_AT = one_of(none(), sampled_from([NOW - timedelta(days=1), NOW + timedelta(days=1)]))
# Requests, and the end of a clean-up, have functions of their own.
NOT_RECORDED = {
    Observation.RECONNECT_REQUESTED,
    Observation.DISCONNECT_REQUESTED,
    Observation.CANCEL_REQUESTED,
    Reason.DISCONNECTED,
    Reason.DISCONNECTED_UNCONFIRMED,
}
# Mostly the newest fence, or an older one.
WHICH = sampled_from([0, 0, 0, 0, 1, 2, 3])
RECORDED = sampled_from([observation for observation in RULES if observation not in NOT_RECORDED])


class AnyOrder(RuleBasedStateMachine):
    """One connection, its worker, and the workers that owned it before."""

    @initialize()
    def begin(self) -> None:
        Organization.objects.all().delete()
        self.organization = Organization.objects.create(name="Acme")
        self.id = Connection.objects.of(self.organization).pk
        other = Connection.objects.of(Organization.objects.create(name="Globex"))
        Connection.objects.filter(pk=other.pk).update(number=OTHER_NUMBER, store_name="attempt-0")
        self.fake_worker = FakeWorker()
        self.fences: list[Fence] = []
        self.store_name = ""
        self.store_may_vanish = False
        self.generation = self.claim = 0
        self.pair()

    # --- Requests --------------------------------------------------------------------------------

    @rule()
    def reconnect(self) -> None:
        try:
            connection = actions.request_reconnect(self.id, ALICE)
        except AlreadyConnected:
            assert self.row().state == State.CONNECTED
        except OrganizationInactive:
            assert not Organization.objects.get(pk=self.organization.pk).is_active
        except TemporarilyBanned:
            assert self.row().banned_until
        else:
            assert (connection.desired, connection.state in PAIRING) == (Desired.CONNECTED, True)

    @rule()
    def disconnect(self) -> None:
        connection = actions.request_disconnect(self.id, ALICE)
        assert (connection.desired, connection.logout_pending) == (Desired.DISCONNECTED, True)
        assert connection.open_attempt() is None

    @rule()
    def cancel(self) -> None:
        try:
            connection = actions.request_cancel(self.id, ALICE)
        except NothingToCancel:
            row = self.row()
            assert row.desired != Desired.CONNECTED or row.state not in PAIRING or row.store_name
        else:
            assert (connection.desired, connection.state) == (
                Desired.DISCONNECTED,
                State.DISCONNECTED,
            )
            assert connection.open_attempt() is None

    @rule(active=booleans(), expected=sampled_from(["", NUMBER, OTHER_NUMBER]))
    def change_organization(self, active: bool, expected: str) -> None:
        set_active(self.organization, active, ALICE)
        set_expected_number(self.organization, expected, ALICE)

    # --- Writes of the worker --------------------------------------------------------------------

    @rule()
    def claim_and_start(self) -> None:
        """Claim the connection and start its newest request."""
        is_takeover = self.row().worker_id != self.fake_worker.worker.pk
        claimed = actions.claim(self.id, self.fake_worker.worker, nobody)
        assert claimed is not None
        started = claimed.started_generation == claimed.generation
        if is_takeover and started and claimed.desired == Desired.CONNECTED:
            # Without credentials the link cannot be resumed: a person must act.
            assert claimed.store_name or claimed.state not in LIVE
        fence = Fence(claimed.pk, claimed.claim, claimed.generation)
        if fence not in self.fences:
            self.fences.append(fence)
        actions.mark_started(fence)

    @rule()
    def pair(self) -> None:
        """Reconnect and pair without disturbance."""
        if self.row().state != State.CONNECTED:
            self.change_organization(True, "")
            self.reconnect()
            if self.row().desired != Desired.CONNECTED:
                return
            self.claim_and_start()
            self.start_pairing(0)
            self.show_code(0, 1)

    @precondition(lambda self: self.fences)
    @rule(which=WHICH)
    def start_pairing(self, which: int) -> None:
        fence = self.fence(which)
        row = self.row()
        wanted = row.desired == Desired.CONNECTED and row.state != State.CONNECTED
        if self.is_current(fence) and not wanted:
            return  # The worker pairs only connections that should be connected and are not.
        self.write(fence, lambda: actions.start_pairing(fence, PAIRING_LASTS))

    @precondition(lambda self: self.fences)
    @rule(which=WHICH, what=sampled_from(["code", "phone code", "lost"]), number=integers(1, 6))
    def show_code(self, which: int, number: int, what: str = "code") -> None:
        fence, attempt = self.fence(which), self.newest_attempt()
        if attempt is None:
            return
        pk = attempt.pk

        def write() -> None:
            if what == "lost":
                actions.lose_code(fence, pk, "the connection dropped")
            elif what == "code":
                actions.show_code(fence, pk, f"code {number}", number, 6, CODE_LASTS)
            else:
                actions.show_phone_code(fence, pk, "ABCD-EFGH", 6, CODE_LASTS)

        if attempt.ended_at is not None:
            return self.assert_refused(write)
        self.write(fence, write)

    @precondition(lambda self: self.fences)
    @rule(which=WHICH, number=sampled_from([NUMBER, NUMBER, OTHER_NUMBER]), retry_at=RETRY_AT)
    def link(self, which: int, number: str, retry_at: datetime | None) -> None:
        fence, attempt = self.fence(which), self.newest_attempt()
        if attempt is None or (self.is_current(fence) and attempt.ended_at is not None):
            return  # The worker links only the phone of its open attempt.
        observation = Reason.TEMPORARILY_BANNED if retry_at else Reason.LINKED

        def write() -> None:
            actions.link(fence, attempt, number, observation, retry_at=retry_at)

        expected = Organization.objects.get(pk=self.organization.pk).expected_number
        if self.is_current(fence) and (number == OTHER_NUMBER or expected not in ("", number)):
            return self.assert_refused(write, NumberRejected)
        self.write(fence, write)

    @precondition(lambda self: self.fences)
    @rule(which=WHICH, observation=RECORDED, retry_at=RETRY_AT)
    def observe(self, which: int, observation: AnyObservation, retry_at: datetime | None) -> None:
        fence = self.fence(which)
        self.store_may_vanish = self.is_current(fence) and observation in GONE_AT_WHATSAPP
        self.write(fence, lambda: actions.record_event(fence, observation, retry_at=retry_at))

    @precondition(lambda self: self.fences)
    @rule(which=WHICH)
    def complete_disconnect(self, which: int) -> None:
        """Complete the clean-up of a disconnect, which need not be the newest request."""
        fence = self.fence(which)
        if fence.claim != self.row().claim:
            return self.assert_refused(
                lambda: actions.forget_credentials(fence, Reason.DISCONNECTED)
            )
        self.store_may_vanish = True
        actions.forget_credentials(fence, Reason.DISCONNECTED)
        row = self.row()
        assert row.state == State.DISCONNECTED or row.desired == Desired.CONNECTED
        assert (row.store_name, row.number, row.logout_pending) == ("", "", False)

    # --- Faults ----------------------------------------------------------------------------------

    @rule(what=sampled_from(["another worker", "dead worker", "deadline"]))
    def cause_fault(self, what: str) -> None:
        attempt = self.row().open_attempt()
        if what == "another worker":
            self.fake_worker = FakeWorker()
        elif what == "dead worker":
            self.fake_worker.die()
        elif attempt:
            overdue(attempt)

    # --- Invariants ------------------------------------------------------------------------------

    @invariant()
    def attempts_are_open_only_while_pairing(self) -> None:
        open_attempts = PairingAttempt.objects.filter(connection=self.id, ended_at=None)
        assert open_attempts.count() <= (self.row().state in PAIRING)

    @invariant()
    def ended_attempt_has_an_outcome_and_no_code(self) -> None:
        for attempt in PairingAttempt.objects.filter(connection=self.id):
            ended = attempt.ended_at is not None
            assert bool(attempt.outcome) == ended
            assert not (ended and (attempt.code or attempt.code_expires_at))

    @invariant()
    def wanted_connection_is_never_disconnected(self) -> None:
        row = self.row()
        assert (row.desired, row.state) != (Desired.CONNECTED, State.DISCONNECTED)

    @invariant()
    def history_ends_with_the_current_state(self) -> None:
        row, lines = self.row(), list(Connection.objects.get(pk=self.id).events.order_by("pk"))
        before = State.DISCONNECTED.value
        for line in lines:
            assert line.state_before == before
            before = line.state
        if lines:
            last = lines[-1]
            assert (last.state, last.reason, last.detail) == (row.state, row.reason, row.detail)
        else:
            assert (row.state, row.reason) == (State.DISCONNECTED, Reason.NEVER_CONNECTED)

    @invariant()
    def credentials_are_lost_only_when_worthless_or_deleted(self) -> None:
        row = self.row()
        if self.store_name and not row.store_name:
            assert self.store_may_vanish
        self.store_name, self.store_may_vanish = row.store_name, False

    @invariant()
    def generations_and_claims_only_rise(self) -> None:
        row = self.row()
        assert row.started_generation <= row.generation
        assert (row.generation, row.claim) >= (self.generation, self.claim)
        assert row.claim >= self.claim
        self.generation, self.claim = row.generation, row.claim

    # --- Helpers ---------------------------------------------------------------------------------

    def row(self) -> Connection:
        return Connection.objects.get(pk=self.id)

    def newest_attempt(self) -> PairingAttempt | None:
        return PairingAttempt.objects.filter(connection=self.id).first()

    def fence(self, which: int) -> Fence:
        """Return the newest fence, or the one so many before it."""
        return self.fences[max(0, len(self.fences) - 1 - which)]

    def is_current(self, fence: Fence) -> bool:
        row = self.row()
        return (fence.claim, fence.generation) == (row.claim, row.generation)

    def write(self, fence: Fence, write: Callable[[], object]) -> None:
        if self.is_current(fence):
            write()
        else:
            self.assert_refused(write)

    def assert_refused(
        self, write: Callable[[], object], error: type[Exception] = Superseded
    ) -> None:
        before = everything()
        with pytest.raises(error), transaction.atomic():
            write()
        assert everything() == before


@pytest.mark.django_db
def test_requests_and_observations_in_any_order() -> None:
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=timedelta(seconds=90),
            derandomize=True,  # The same sequences in every run.
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
