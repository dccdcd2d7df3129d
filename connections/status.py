"""A connection as a reader should see it: the row, corrected by whether anyone looks after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    ExpressionWrapper,
    F,
    Max,
    Min,
    Q,
    QuerySet,
    Value,
    When,
)
from django.utils import timezone

from connections.lifecycle import PAIRING, Reason, State
from connections.models import Connection, PairingAttempt, Worker, Workforce, conditions
from connections.reason_texts import REASON_TEXTS, ReasonText

# Why nobody looks after a connection that needs it.
UNATTENDED = {
    Workforce.ABSENT: Reason.WORKER_OFFLINE,
    Workforce.FULL: Reason.NO_ROOM,
    Workforce.READY: Reason.SERVICE_RESTARTED,
}


@dataclass(frozen=True)
class ConnectionStatus:
    """A connection as a reader should see it now: the row, and whether anyone looks after it."""

    connection: Connection
    attempt: PairingAttempt | None
    has_worker: bool
    workforce: Workforce

    @property
    def inactive(self) -> bool:
        """The organization is deactivated: whatever ran is being stopped."""
        return not self.connection.organization.is_active

    @property
    def unowned(self) -> bool:
        """No worker has it, so what the row says of a running link is not true any more."""
        return conditions.unowned(self.connection, self.has_worker)

    @property
    def overridden(self) -> bool:
        """Whether what is told is not what was stored last."""
        return self.inactive or self.unowned

    @property
    def state(self) -> State:
        if self.inactive:
            return State.DISCONNECTED
        stored = State(self.connection.state)
        if self.unowned and stored != State.DISCONNECTED:
            return State.CONNECTING if stored in PAIRING else State.RECONNECTING
        return stored

    @property
    def reason(self) -> Reason:
        if self.inactive:
            return Reason.ORGANIZATION_INACTIVE
        if not self.unowned:
            return Reason(self.connection.reason)
        return UNATTENDED[self.workforce]

    @property
    def since(self) -> datetime:
        """Since when the state is as it is told."""
        connection = self.connection
        if deactivated_at := connection.organization.deactivated_at:
            return deactivated_at
        if not self.unowned:
            return connection.since
        if connection.worker is not None:
            return max(connection.since, connection.worker.heartbeat_at)
        heard = _last_heard() if self.workforce == Workforce.ABSENT else None
        return max(connection.since, heard) if heard else connection.since

    @property
    def reason_text(self) -> ReasonText:
        return REASON_TEXTS[self.reason]

    @property
    def pairs(self) -> bool:
        """Whether a phone is being linked, rather than the saved login being resumed."""
        return not self.inactive and self.connection.pairs

    @property
    def code(self) -> str:
        """What the QR code says, if one can be scanned right now."""
        return self.attempt.code if self.attempt and self._code_is_good else ""

    @property
    def phone_code(self) -> str:
        """What can be typed on the phone right now: eight characters and a dash, or ""."""
        return self.attempt.phone_code if self.attempt and self._code_is_good else ""

    @property
    def _code_is_good(self) -> bool:
        attempt = self.attempt
        if attempt is None or attempt.code_expires_at is None or self.unowned or self.inactive:
            return False
        return attempt.code_expires_at > timezone.now()

    @property
    def may_reconnect(self) -> bool:
        """Whether a request to reconnect would be taken."""
        if self.inactive or self.connection.banned_until is not None:
            return False
        return self.state != State.CONNECTED

    @property
    def has_client(self) -> bool:
        """Whether something is under way or up, as the old service's clients mean it."""
        return self.state in (*PAIRING, State.CONNECTED, State.RECONNECTING)


def _last_heard() -> datetime | None:
    """The last sign of life of any worker."""
    last: datetime | None = Worker.objects.aggregate(last=Max("heartbeat_at"))["last"]
    return last


def read_status(connection_id: int) -> ConnectionStatus:
    """Read a connection afresh."""
    return get_status(
        Connection.objects.select_related("organization", "worker").get(pk=connection_id)
    )


def get_status(connection: Connection) -> ConnectionStatus:
    """A connection that was just read, with its worker and its organization."""
    workforce = Workforce.READY if connection.owned else Worker.workforce()
    has_worker = conditions.has_worker(connection, workforce)
    # What is under way ends with these states, and a code can be used only while its worker lives.
    pairing = connection.owned and connection.state in PAIRING
    attempt = connection.open_attempt() if pairing else None
    return ConnectionStatus(connection, attempt, has_worker, workforce)


def status_of_row(connection: Connection, workforce: Workforce) -> ConnectionStatus:
    """One row of many, read with its worker and its organization; no code, no query of its own."""
    has_worker = conditions.has_worker(connection, workforce)
    return ConnectionStatus(connection, None, has_worker, workforce)


def with_told_state(connections: QuerySet[Connection]) -> QuerySet[Connection]:
    """Annotate `told_state` and `told_reason`: `ConnectionStatus.state` and `.reason` in SQL."""
    workforce = Worker.workforce()
    unowned = conditions.unowned_q(workforce)
    return connections.alias(unowned=ExpressionWrapper(unowned, output_field=BooleanField())).alias(
        told_state=_case(
            F("state"),
            When(~conditions.ACTIVE, then=Value(State.DISCONNECTED)),
            When(Q(unowned=True, state__in=PAIRING), then=Value(State.CONNECTING)),
            When(Q(unowned=True) & ~Q(state=State.DISCONNECTED), then=Value(State.RECONNECTING)),
        ),
        told_reason=_case(
            F("reason"),
            When(~conditions.ACTIVE, then=Value(Reason.ORGANIZATION_INACTIVE)),
            When(unowned=True, then=Value(UNATTENDED[workforce])),
        ),
    )


def _case(default: F, *whens: When) -> Case:
    return Case(*whens, default=default, output_field=CharField())


def refused_since() -> datetime | None:
    """Since when WhatsApp refuses the version of all clients of a worker that runs."""
    alive = timezone.now() - Worker.OFFLINE_AFTER
    workers = Worker.objects.filter(stopped_at=None, heartbeat_at__gte=alive)
    since: datetime | None = workers.aggregate(since=Min("outdated_since"))["since"]
    return since
