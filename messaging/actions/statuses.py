"""Changes the state of outgoing messages, with the event in the log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from events import log
from events.log import NewEvent
from events.models import EventType
from messaging.models import Message

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

NEVER_SENT = (State.FAILED, State.EXPIRED, State.CANCELLED)
"""The states that say that nothing went out."""

BATCH = 200

FIELDS = ["state", "reason", *dict.fromkeys(TIMES.values())]


def set_state(message: Message, state: State, reason: str = "", at: datetime | None = None) -> None:
    """Set a message's state, its reason and the time of the step, without saving."""
    if state in NEVER_SENT and message.on_unknown == Message.OnUnknown.RESENT:
        state, reason = State.UNKNOWN, "resent"  # The first try may have gone out.
    message.state, message.reason = state, reason
    column = TIMES.get(state)
    if column:
        setattr(message, column, at or timezone.now())
    if column != "ended_at":
        message.ended_at = None  # It goes on, as when a receipt resolves an unknown outcome.


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
    return NewEvent(EventType.MESSAGE_STATUS, data, message.public_id)


def save(organization_id: int, messages: Iterable[Message], *fields: str) -> None:
    """Save messages of one organization whose state has changed, and append their events."""
    changed = list(messages)
    if changed:
        # Small statements: the time for one grows with the square of its rows.
        Message.objects.bulk_update(changed, [*FIELDS, *fields], batch_size=BATCH)
        log.append(organization_id, [status_event(message) for message in changed])


def change_all(
    organization_id: int,
    messages: QuerySet[Message],
    state: State,
    reason: str = "",
    expires_at: datetime | None = None,
) -> int:
    """Set the state of messages of one organization, in their order. Return how many they were."""
    # Texts and names are not needed, and it takes time to decrypt them.
    rows = messages.select_related("contact").defer("content", "contact__name").order_by("pk")
    changed = list(rows)
    for message in changed:
        set_state(message, state, reason)
        message.expires_at = expires_at or message.expires_at
    save(organization_id, changed, "expires_at")
    return len(changed)
