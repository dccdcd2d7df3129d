"""The common parts of all writes: the fence, the transition, the event in the history."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.utils import timezone

from connections import broadcast
from connections.lifecycle import (
    PAIRING,
    REPEATED,
    RULES,
    AnyObservation,
    Reason,
    State,
    after,
)
from connections.models import DETAIL_LENGTH, Connection, ConnectionEvent, PairingAttempt
from connections.reason_texts import REASON_TEXTS
from connections.signals import connections_changed
from events import log
from events.log import NewEvent
from events.models import EventType
from organizations.access import Actor
from organizations.audit import log_audit
from organizations.models import AuditEntry
from organizations.phone_numbers import same_number

logger = logging.getLogger(__name__)

Outcome = PairingAttempt.Outcome

T = TypeVar("T")

# Added to the detail of a phone that was refused and is still linked at WhatsApp.
STILL_LINKED = "; WhatsApp could not be told: remove the device on the phone"
STATE_COLUMNS = ("state", "reason", "detail", "since", "retry_at")


@dataclass(frozen=True)
class Fence:
    """The right to write a connection: the claim of its owner, the generation of its request."""

    connection_id: int
    claim: int
    generation: int

    @classmethod
    def of(cls, connection: Connection) -> Fence:
        """Return the fence of the connection's owner for its newest request."""
        return cls(connection.pk, connection.claim, connection.generation)


class Superseded(Exception):
    """A newer request or another worker has taken over; the writer has to stop."""


class NumberRejected(Exception):
    """A phone was linked whose number this organization may not have; `observation` says why."""

    def __init__(self, observation: AnyObservation, detail: str) -> None:
        super().__init__(observation)
        self.observation = observation
        self.detail = detail


def lock_fenced(fence: Fence) -> Connection:
    """Lock the row that a fence allows to write. Raises Superseded."""
    return lock_all_fenced([fence])[fence.connection_id]


def lock_all_fenced(fences: Sequence[Fence]) -> dict[int, Connection]:
    """Lock the rows that fences of different connections allow to write. Raises Superseded."""
    ids = [fence.connection_id for fence in fences]
    rows = Connection.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    found = {row.pk: row for row in rows}
    if {Fence.of(row) for row in found.values()} != set(fences):
        raise Superseded
    return found


def as_owner(fence: Fence, act: Callable[[], T]) -> T:
    """Call `act`, which changes the credentials, as the connection's owner. Raises Superseded.

    The row is locked meanwhile, so that nobody takes over in the middle, and a worker that hung
    while others took over does not remove a store that they have linked.
    """
    with transaction.atomic():
        row = Connection.objects.select_for_update().filter(pk=fence.connection_id)
        if row.filter(claim=fence.claim).first() is None:
            raise Superseded
        return act()


def apply_transition(
    connection: Connection,
    observation: AnyObservation,
    *,
    detail: str = "",
    actor: Actor | None = None,
    attempt: PairingAttempt | None = None,
    retry_at: datetime | None = None,
) -> None:
    """Write the state that an observation leads to, on a row that this transaction has locked.

    `retry_at`: the time of the next automatic try, if it is known.
    """
    apply_transitions([Transition(connection, observation, detail, actor, attempt, retry_at)])


@dataclass
class Transition:
    """An observation of one connection. See `apply_transition`."""

    connection: Connection
    observation: AnyObservation
    detail: str = ""
    actor: Actor | None = None
    attempt: PairingAttempt | None = None
    retry_at: datetime | None = None


def apply_transitions(transitions: Sequence[Transition]) -> None:
    """Write the states that the observations of different connections lead to.

    This transaction has locked their rows. The number of queries does not grow with them, unless
    they lead to different states (docs/performance.md).
    """
    now = timezone.now()
    moved = [(each, before) for each in transitions if (before := _move(each, now)) is not None]
    if not moved:
        return
    _save_states([each.connection for each, _ in moved])
    _end_and_set_attempts([each for each, _ in moved])
    events = ConnectionEvent.objects.bulk_create(_event(each, before) for each, before in moved)
    log.append_all({event.connection_id: [_changed_event(event)] for event in events})
    changes = [(each.connection, event) for (each, _), event in zip(moved, events, strict=True)]
    connections_changed.send(sender=Connection, changes=changes)
    for connection, event in changes:
        transaction.on_commit(partial(_log, event, connection.generation))
        broadcast.notify_changed(connection.pk)


def _move(transition: Transition, now: datetime) -> State | None:
    """Change a row in memory. Return its state before, or None if there is no event to record."""
    connection, observation = transition.connection, transition.observation
    before = State(connection.state)
    result = after(before, observation)
    if result is None:
        return None
    detail = transition.detail[:DETAIL_LENGTH]
    state, reason = result
    same_reason = (before, connection.reason) == (state, reason)
    unchanged = same_reason and (connection.detail == detail or observation in REPEATED)
    if unchanged and transition.actor is None:
        update_detail(connection, detail, transition.retry_at)
        return None
    if state != before:
        connection.since = now
    connection.state, connection.reason, connection.detail = state, reason, detail
    connection.retry_at = transition.retry_at
    return before


def _save_states(connections: Sequence[Connection]) -> None:
    """Save the changed rows: those that changed alike by one query."""
    alike: dict[tuple[object, ...], list[int]] = {}
    for connection in connections:
        values = tuple(getattr(connection, name) for name in STATE_COLUMNS)
        alike.setdefault(values, []).append(connection.pk)
    for values, ids in alike.items():
        columns = dict(zip(STATE_COLUMNS, values, strict=True))
        Connection.objects.filter(pk__in=ids).update(**columns)


def _end_and_set_attempts(transitions: Sequence[Transition]) -> None:
    """Find the attempt of each transition, and end those that are over with it."""
    unknown = [each.connection.pk for each in transitions if each.attempt is None]
    open_attempts = {
        attempt.connection_id: attempt
        for attempt in PairingAttempt.objects.filter(connection__in=unknown, ended_at=None)
    }
    for each in transitions:
        known, connection = each.attempt is not None, each.connection
        each.attempt = each.attempt or open_attempts.get(connection.pk)
        if connection.state not in PAIRING and (known or each.attempt is not None):
            end_attempts(connection, Outcome(RULES[each.observation].outcome))


def _event(transition: Transition, before: State) -> ConnectionEvent:
    connection, actor = transition.connection, transition.actor
    return ConnectionEvent(
        connection=connection,
        observation=transition.observation,
        state_before=before,
        state=connection.state,
        reason=connection.reason,
        detail=connection.detail,
        attempt=transition.attempt,
        **(actor.columns if actor else {}),
    )


def _changed_event(event: ConnectionEvent) -> NewEvent:
    """Return what other software reads of it: without the detail, which may name a number."""
    data = {
        "state": event.state,
        "stateBefore": event.state_before,
        "reason": event.reason,
        "sentence": REASON_TEXTS[Reason(event.reason)].english,
    }
    return NewEvent(EventType.CONNECTION_CHANGED, data, at=event.at)


def update_detail(connection: Connection, detail: str, retry_at: datetime | None) -> None:
    """Save a detail and a retry time that changed without an event."""
    if (connection.detail, connection.retry_at) == (detail, retry_at):
        return
    connection.detail, connection.retry_at = detail, retry_at
    connection.save(update_fields=["detail", "retry_at"])
    broadcast.notify_changed(connection.pk)


def _log(event: ConnectionEvent, generation: int) -> None:
    """Log an event without its detail, which may contain a number."""
    fields: dict[str, object] = {
        "organization": event.connection_id,
        "observation": str(event.observation),
        "state": str(event.state),
        "reason": str(event.reason),
        "generation": generation,
    }
    if event.attempt_id is not None:
        fields["attempt"] = event.attempt_id
    logger.info("a connection changed", extra=fields)


def adopt_store(connection: Connection, attempt: PairingAttempt, number: str) -> str:
    """Make the attempt's store the organization's. Raises NumberRejected.

    Return the event's detail when the number is another one than before, else "".
    """
    before = connection.last_number
    expected = connection.organization.expected_number
    if expected and not same_number(expected, number):
        raise NumberRejected(Reason.WRONG_NUMBER, f"its number ends in {number[-4:]}")
    in_use = NumberRejected(Reason.NUMBER_IN_USE, f"its number ends in {number[-4:]}")
    others = (
        Connection.objects.filter(number=number).exclude(store_name="").exclude(pk=connection.pk)
    )
    if others.exists():
        raise in_use
    try:
        # Another organization may link the same phone at this moment. The savepoint keeps the
        # caller's transaction usable after the constraint has refused the second one.
        with transaction.atomic():
            Connection.objects.filter(pk=connection.pk).update(
                store_name=attempt.store_name,
                number=number,
                last_number=number,
                fresh_code=False,
                phone_seen_at=timezone.now(),  # The phone itself has accepted the code.
            )
    except IntegrityError as error:
        raise in_use from error
    connection.store_name, connection.number = attempt.store_name, number
    connection.last_number, connection.fresh_code = number, False
    end_attempts(connection, Outcome.LINKED)
    if not before or same_number(before, number):
        return ""
    detail = f"the number changed: it ended in {before[-4:]}, now it ends in {number[-4:]}"
    log_audit(
        AuditEntry.Action.LINKED_NUMBER_CHANGED,
        connection.organization,
        Actor(attempt.started_by),
        f"…{before[-4:]} → …{number[-4:]}",
    )
    return detail


def detach_credentials(connection: Connection) -> None:
    """Stop using the store. Its files stay until a new link or a disconnect."""
    connection.store_name = ""
    connection.save(update_fields=["store_name"])


def resume_saved_login(connection: Connection) -> None:
    """Resume the saved login that was kept while a new code was shown, if there is one.

    The connection's reason, why no phone was linked, becomes the detail.
    """
    if connection.store_name and connection.fresh_code:
        connection.fresh_code = False
        connection.save(update_fields=["fresh_code"])
        apply_transition(connection, Reason.SAVED_LOGIN_KEPT, detail=connection.reason_text.english)


def end_attempts(connection: Connection, outcome: PairingAttempt.Outcome) -> None:
    """End the open attempt, and remove its codes."""
    connection.attempts.filter(ended_at=None).update(
        ended_at=timezone.now(), outcome=outcome, code="", phone_code="", code_expires_at=None
    )
