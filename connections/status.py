"""The status of a connection: its row, corrected by whether a worker owns it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

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
from connections.phone_silence import PhoneSilence
from connections.reason_texts import REASON_TEXTS, ReasonText
from organizations.models import Organization

# The reason of a connection that needs a worker and has none.
REASON_WITHOUT_WORKER = {
    Workforce.ABSENT: Reason.WORKER_OFFLINE,
    Workforce.FULL: Reason.NO_ROOM,
    Workforce.READY: Reason.SERVICE_RESTARTED,
}


@dataclass(frozen=True)
class ConnectionStatus:
    """A connection as readers see it: the row, and whether a worker owns it."""

    connection: Connection
    attempt: PairingAttempt | None
    has_worker: bool
    workforce: Workforce

    @property
    def inactive(self) -> bool:
        """Whether the organization is deactivated, so that its connection is stopped."""
        return not self.connection.organization.is_active

    @property
    def unowned(self) -> bool:
        """Whether it needs a worker and has none, so that the stored state is not true any more."""
        return conditions.unowned(self.connection, self.has_worker)

    @property
    def never_linked(self) -> bool:
        """Whether no phone has ever been linked."""
        return conditions.never_linked(self.connection)

    @property
    def overridden(self) -> bool:
        """Whether readers see another state than the stored one."""
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
        return REASON_WITHOUT_WORKER[self.workforce]

    @property
    def since(self) -> datetime:
        """When the state that readers see began."""
        connection = self.connection
        if deactivated_at := connection.organization.deactivated_at:
            return deactivated_at
        if not self.unowned:
            return connection.since
        if connection.worker is not None:
            return max(connection.since, connection.worker.heartbeat_at)
        heartbeat = last_heartbeat() if self.workforce == Workforce.ABSENT else None
        return max(connection.since, heartbeat) if heartbeat else connection.since

    @property
    def reason_text(self) -> ReasonText:
        return REASON_TEXTS[self.reason]

    @cached_property
    def phone_silence(self) -> PhoneSilence | None:
        """How long the phone was silent; None while it is not connected, as nothing arrives."""
        if self.state != State.CONNECTED:
            return None
        return PhoneSilence.since(self.connection.phone_seen_at)

    @property
    def next_step(self) -> str:
        """What helps, for those who cannot change the server."""
        return self.next_step_for(administrator=False)

    def next_step_for(self, administrator: bool) -> str:
        """Return what helps: with a phone that was silent for long there is something to do."""
        if (silence := self.phone_silence) and silence.warns:
            return silence.next_step
        return self.reason_text.next_step_for(administrator)

    @property
    def is_pairing(self) -> bool:
        """Whether a phone is being linked, rather than the saved login being resumed."""
        return not self.inactive and self.connection.is_pairing

    @property
    def code(self) -> str:
        """The text of the QR code that can be scanned now, or ""."""
        return self.attempt.code if self.attempt and self._code_is_valid else ""

    @property
    def phone_code(self) -> str:
        """The code that can be typed on the phone now: eight characters and a dash, or ""."""
        return self.attempt.phone_code if self.attempt and self._code_is_valid else ""

    @property
    def _code_is_valid(self) -> bool:
        attempt = self.attempt
        if attempt is None or attempt.code_expires_at is None or self.unowned or self.inactive:
            return False
        return attempt.code_expires_at > timezone.now()

    @property
    def can_reconnect(self) -> bool:
        """Whether a request to reconnect would be accepted."""
        if self.inactive or self.connection.banned_until is not None:
            return False
        return self.state != State.CONNECTED

    @property
    def has_client(self) -> bool:
        """Whether the old service would have had a client: connecting, or connected."""
        return self.state in (*PAIRING, State.CONNECTED, State.RECONNECTING)


def last_heartbeat() -> datetime | None:
    """Return the last heartbeat of any worker."""
    last: datetime | None = Worker.objects.aggregate(last=Max("heartbeat_at"))["last"]
    return last


def read_status(connection_id: int) -> ConnectionStatus:
    """Read a connection from the database and return its status."""
    return get_status(
        Connection.objects.select_related("organization", "worker").get(pk=connection_id)
    )


def get_status(connection: Connection) -> ConnectionStatus:
    """Return the status of a connection that was just read with its worker and organization."""
    # Read only for a connection whose state depends on it.
    workforce = Workforce.READY
    if conditions.relies_on_worker(connection) and not connection.owned:
        workforce = Worker.workforce()
    has_worker = conditions.has_worker(connection, workforce)
    # Attempts end with these states, and a code can be used only while its worker is alive.
    pairing = connection.owned and connection.state in PAIRING
    attempt = connection.open_attempt() if pairing else None
    return ConnectionStatus(connection, attempt, has_worker, workforce)


def status_of_row(connection: Connection, workforce: Workforce) -> ConnectionStatus:
    """Return the status of one row of many, without its code and without a query.

    The row was read with its worker and organization.
    """
    has_worker = conditions.has_worker(connection, workforce)
    return ConnectionStatus(connection, None, has_worker, workforce)


def read_statuses(organizations: Iterable[Organization]) -> dict[int, ConnectionStatus]:
    """Return the statuses of these organizations' connections by id, in a few queries for all."""
    by_id = {organization.pk: organization for organization in organizations}
    if not by_id:
        return {}
    rows = Connection.objects.filter(pk__in=by_id).select_related("worker")
    connections = {connection.pk: connection for connection in rows}
    workforce = Worker.workforce()
    absent = workforce == Workforce.ABSENT
    last_worker = Worker.objects.order_by("-heartbeat_at").first() if absent else None
    statuses = {}
    for pk, organization in by_id.items():
        # Created when first read: an organization that was never connected is disconnected.
        connection = connections.get(pk) or Connection.objects.of(organization)
        connection.organization = organization
        statuses[pk] = status_of_row(connection, workforce)
        # Read once for all rows: `since` of an unowned connection is the last heartbeat.
        connection.worker = connection.worker or last_worker
    return statuses


def with_effective_state(connections: QuerySet[Connection]) -> QuerySet[Connection]:
    """Annotate `ConnectionStatus.state` and `.reason` as `effective_state`, `effective_reason`."""
    workforce = Worker.workforce()
    unowned = conditions.unowned_q(workforce)
    return connections.alias(unowned=ExpressionWrapper(unowned, output_field=BooleanField())).alias(
        effective_state=_case(
            F("state"),
            When(~conditions.ACTIVE, then=Value(State.DISCONNECTED)),
            When(Q(unowned=True, state__in=PAIRING), then=Value(State.CONNECTING)),
            When(Q(unowned=True) & ~Q(state=State.DISCONNECTED), then=Value(State.RECONNECTING)),
        ),
        effective_reason=_case(
            F("reason"),
            When(~conditions.ACTIVE, then=Value(Reason.ORGANIZATION_INACTIVE)),
            When(unowned=True, then=Value(REASON_WITHOUT_WORKER[workforce])),
        ),
    )


def _case(default: F, *whens: When) -> Case:
    return Case(*whens, default=default, output_field=CharField())


def refused_since() -> datetime | None:
    """Return since when WhatsApp refuses the client version of a living worker, or None."""
    alive = timezone.now() - Worker.OFFLINE_AFTER
    workers = Worker.objects.filter(stopped_at=None, heartbeat_at__gte=alive)
    since: datetime | None = workers.aggregate(since=Min("outdated_since"))["since"]
    return since
