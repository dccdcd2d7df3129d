"""Changes the state of outgoing messages, with the event in the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from events import log
from events.log import NewEvent
from events.models import EventType
from messaging.actions.row_updates import save_rows
from messaging.models import NEVER_LEFT_STATES, Message

State = Message.State

TIMES = {
    State.SENDING: "sending_at",
    State.SENT: "sent_at",
    State.DELIVERED: "delivered_at",
    State.READ: "read_at",
    State.PLAYED: "played_at",
    State.FAILED: "ended_at",
    State.UNKNOWN: "ended_at",
    State.EXPIRED: "ended_at",
    State.CANCELLED: "ended_at",
}
"""The column with the time of each state."""

STEPS = (State.SENDING, State.SENT, State.DELIVERED, State.READ, State.PLAYED)
"""The states that follow each other; steps may be skipped, and never go back."""

RESTORED = "restored"
"""The reason of what is held since a backup was restored (restored.py)."""

ENDINGS = ("state", "reason", "ended_at")
"""The columns that change for many messages at once."""

BATCH = 500

FIELDS = ["state", "reason", *dict.fromkeys(TIMES.values())]


def set_state(message: Message, state: State, reason: str = "", at: datetime | None = None) -> None:
    """Set a message's state, its reason and the time of the step, without saving."""
    if state in NEVER_LEFT_STATES and message.on_unknown == Message.OnUnknown.RESENT:
        state, reason = State.UNKNOWN, "resent"  # The first try may have gone out.
    elif state in NEVER_LEFT_STATES and is_restored(message):
        state, reason = State.UNKNOWN, "not_sent_again"
    message.state, message.reason = state, reason
    column = TIMES.get(state)
    if column:
        setattr(message, column, at or timezone.now())
    if column != "ended_at":
        message.ended_at = None  # It goes on, as when a receipt resolves an unknown outcome.


def is_restored(message: Message) -> bool:
    """Return whether a message waited when a backup was made, and may have left since."""
    return (message.state, message.reason) == (State.HELD, RESTORED)


def may_advance(message: Message, state: State) -> bool:
    """Return whether a receipt for `state` tells more than the message's state does.

    A receipt also proves that an unknown message went out, or one that waits to be sent again.
    """
    if message.state in (State.UNKNOWN, State.QUEUED, State.HELD):
        return state in STEPS
    return message.state in STEPS and STEPS.index(state) > STEPS.index(State(message.state))


def status_event(message: Message) -> NewEvent:
    """Return the `message.status` event of a message's present state."""
    at = getattr(message, TIMES.get(State(message.state), "created_at")) or timezone.now()
    data = {
        "id": message.public_id,
        "state": message.state,
        "reason": message.reason or None,
        "waId": message.contact.wa_id,
        "whatsappId": message.whatsapp_id or None,
        "at": at.isoformat(),
    }
    if message.callback_data is not None:
        data["callbackData"] = message.callback_data
    return NewEvent(EventType.MESSAGE_STATUS, data, message.public_id)


def save(messages: Iterable[Message], *fields: str) -> None:
    """Save messages whose state has changed, and append their events."""
    log.append_all(save_unlogged(messages, *fields))


def save_unlogged(messages: Iterable[Message], *fields: str) -> dict[int, list[NewEvent]]:
    """Save messages whose state has changed. Return their events, for the caller to append."""
    changed = list(messages)
    save_rows(changed, [*FIELDS, *fields])
    events: dict[int, list[NewEvent]] = {}
    for message in changed:
        events.setdefault(message.organization_id, []).append(status_event(message))
    return events


def change_all(
    organization_id: int,
    messages: QuerySet[Message],
    state: State,
    reason: str = "",
    expires_at: datetime | None = None,
    limit: int | None = None,
) -> int:
    """Set the state of messages of one organization, oldest first. Return how many they were.

    `limit`: how many at most, so that the locks are not held for long.
    """
    # Texts and names are not needed, and it takes time to decrypt them.
    rows = messages.select_related("contact").defer("content", "contact__name").order_by("pk")
    changed = list(rows[:limit])
    now = timezone.now()
    for message in changed:
        set_state(message, state, reason, now)
    for start in range(0, len(changed), BATCH):
        _save_batch(organization_id, changed[start : start + BATCH], expires_at)
    return len(changed)


def _save_batch(
    organization_id: int, messages: Sequence[Message], expires_at: datetime | None
) -> None:
    """Save messages with one statement for all that became the same, and append their events.

    For thousands of messages `bulk_update` takes minutes.
    """
    same: dict[tuple[Any, ...], list[int]] = {}
    for message in messages:
        values = tuple(getattr(message, name) for name in ENDINGS)
        same.setdefault(values, []).append(message.pk)
    for values, ids in same.items():
        changes = dict(zip(ENDINGS, values, strict=True))
        if expires_at is not None:
            changes["expires_at"] = expires_at
        Message.objects.filter(pk__in=ids).update(**changes)
    log.append(organization_id, [status_event(message) for message in messages])
