"""A connection as a reader should see it: the row, corrected by whether anyone looks after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Min
from django.utils import timezone

from connections.lifecycle import PAIRING, Desired, Reason, State
from connections.models import Connection, PairingAttempt, Worker, Workforce
from connections.words import WORDS, Words

# Why nobody looks after a connection that needs it.
UNATTENDED = {
    Workforce.ABSENT: Reason.WORKER_OFFLINE,
    Workforce.FULL: Reason.NO_ROOM,
    Workforce.READY: Reason.SERVICE_RESTARTED,
}


@dataclass(frozen=True)
class Observed:
    """A connection as a reader should see it now: the row, and whether anyone looks after it."""

    connection: Connection
    attempt: PairingAttempt | None
    looked_after: bool
    workforce: Workforce

    @property
    def inactive(self) -> bool:
        """The organization is deactivated: whatever ran is being stopped."""
        return not self.connection.organization.is_active

    @property
    def orphaned(self) -> bool:
        """No worker has it, so what the row says of a running link is not true any more."""
        connection = self.connection
        at_rest = connection.desired == Desired.DISCONNECTED and not connection.logout_wanted
        down = connection.state == State.ACTION_NEEDED
        return not self.looked_after and not at_rest and not down

    @property
    def corrected(self) -> bool:
        """Whether what is told is not what was stored last."""
        return self.inactive or self.orphaned

    @property
    def state(self) -> State:
        if self.inactive:
            return State.DISCONNECTED
        stored = State(self.connection.state)
        if self.orphaned and stored != State.DISCONNECTED:
            return State.CONNECTING if stored in PAIRING else State.RECONNECTING
        return stored

    @property
    def reason(self) -> Reason:
        if self.inactive:
            return Reason.ORGANIZATION_INACTIVE
        if not self.orphaned:
            return Reason(self.connection.reason)
        return UNATTENDED[self.workforce]

    @property
    def since(self) -> datetime:
        """Since when the state is as it is told."""
        connection = self.connection
        if deactivated_at := connection.organization.deactivated_at:
            return deactivated_at
        if not self.orphaned:
            return connection.since
        if connection.worker is not None:
            return max(connection.since, connection.worker.heartbeat_at)
        heard = _last_heard() if self.workforce == Workforce.ABSENT else None
        return max(connection.since, heard) if heard else connection.since

    @property
    def words(self) -> Words:
        return WORDS[self.reason]

    @property
    def pairs(self) -> bool:
        """Whether a phone is being linked, rather than the saved login being resumed."""
        connection = self.connection
        return self.state in PAIRING and (not connection.store or connection.fresh_code)

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
        if attempt is None or attempt.code_expires_at is None or self.orphaned or self.inactive:
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


def observe(connection_id: int) -> Observed:
    """Read a connection afresh."""
    return look_at(
        Connection.objects.select_related("organization", "worker").get(pk=connection_id)
    )


def look_at(connection: Connection) -> Observed:
    """A connection that was just read, with its worker and its organization."""
    workforce = Workforce.READY if connection.owned else Worker.workforce()
    looked_after = connection.is_looked_after(workforce)
    # What is under way ends with these states.
    attempt = connection.open_attempt() if connection.state in PAIRING else None
    return Observed(connection, attempt, looked_after, workforce)


def listed(connection: Connection, workforce: Workforce) -> Observed:
    """One row of many, read with its worker and its organization; no code, no query of its own."""
    return Observed(connection, None, connection.is_looked_after(workforce), workforce)


def refused_since() -> datetime | None:
    """Since when WhatsApp refuses the version of all clients of a worker that runs."""
    alive = timezone.now() - Worker.OFFLINE_AFTER
    workers = Worker.objects.filter(stopped_at=None, heartbeat_at__gte=alive)
    since: datetime | None = workers.aggregate(since=Min("outdated_since"))["since"]
    return since
