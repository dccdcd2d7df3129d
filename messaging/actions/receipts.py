"""Applies receipts to outgoing messages: forward only, and also when they come too early."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db.models import QuerySet
from django.utils import timezone

from events.log import NewEvent
from messaging.actions import statuses
from messaging.actions.descriptions import received_at
from messaging.models import EarlyReceipt, Message, storable_id

State = Message.State

R = TypeVar("R", Message, EarlyReceipt)

STATES = {
    "delivered": State.DELIVERED,
    # It arrived at a device that sleeps: official apps show no second tick either.
    "inactive": State.SENT,
    "read": State.READ,
    "played": State.PLAYED,
}
"""What a receipt of a recipient says; others concern our own devices, or ask for a retry."""

# Nothing is sent to these from here, and each of their members tells of each message of the phone.
SHARED_SERVERS = ("@g.us", "@broadcast")

KEEP_EARLY = timedelta(days=1)


Key = tuple[int, str]
"""An organization and WhatsApp's id of one of its messages."""

Step = tuple[Key, State, datetime]


def apply(
    receipts: Mapping[int, Iterable[Mapping[str, Any]]],
) -> Mapping[int, Sequence[NewEvent]]:
    """Apply receipts, as the host process spools them, by organization. Return their events.

    The caller holds the locks of outboxes.py, so no id is stored between the look for it and the
    storing of an early receipt.
    """
    told: list[tuple[str, Step]] = [
        (
            receipt["chat"],
            ((pk, storable_id(whatsapp_id)), STATES[receipt["type"]], received_at(receipt)),
        )
        for pk, found in receipts.items()
        for receipt in found
        if receipt["type"] in STATES and not receipt["from_me"]
        for whatsapp_id in receipt["ids"]
    ]
    if not told:
        return {}
    sent = _sent_messages({key for _, (key, _, _) in told})
    events = statuses.save_unlogged(_advance(sent, [step for _, step in told]))
    EarlyReceipt.objects.bulk_create(
        EarlyReceipt(organization_id=key[0], whatsapp_id=key[1], state=state, at=at)
        for chat, (key, state, at) in told
        if key not in sent and not chat.endswith(SHARED_SERVERS)
    )
    return events


def apply_early(messages: Iterable[Message]) -> None:
    """Apply receipts that came before these messages' ids were stored."""
    by_key = {_key(message): message for message in messages if message.whatsapp_id}
    found = [row for row in _rows_of(EarlyReceipt, by_key).order_by("pk") if _key(row) in by_key]
    if found:
        steps = [(_key(row), State(row.state), row.at) for row in found]
        statuses.save(_advance(by_key, steps))
        EarlyReceipt.objects.filter(pk__in=[row.pk for row in found]).delete()


def delete_old_early_receipts() -> None:
    """Delete early receipts that no message has claimed."""
    EarlyReceipt.objects.filter(stored_at__lt=timezone.now() - KEEP_EARLY).delete()


def _key(row: Message | EarlyReceipt) -> Key:
    return row.organization_id, row.whatsapp_id


def _rows_of(model: type[R], keys: Collection[Key]) -> QuerySet[R]:
    """Return the rows of these organizations with one of these ids: some more than asked."""
    organizations, ids = {key[0] for key in keys}, {key[1] for key in keys}
    return model._default_manager.filter(organization__in=organizations, whatsapp_id__in=ids)


def _sent_messages(keys: set[Key]) -> dict[Key, Message]:
    found = _rows_of(Message, keys).exclude(direction=Message.Direction.IN)
    # What we sent counts before a row of what was thought lost.
    rows = found.select_related("contact").defer("content", "contact__name")
    return {_key(message): message for message in rows.order_by("direction", "pk")}


def _advance(messages: Mapping[Key, Message], steps: Iterable[Step]) -> list[Message]:
    """Move messages on, and return those that changed."""
    changed: dict[int, Message] = {}
    for key, state, at in steps:
        message = messages.get(key)
        if message is not None and statuses.may_advance(message, state):
            # Receipts tell whole seconds; no step is earlier than the one before it.
            before = (message.sent_at, message.delivered_at, message.read_at)
            at = max([at, *(time for time in before if time is not None)])
            statuses.set_state(message, state, at=at)
            message.sent_at = message.sent_at or at
            changed[message.pk] = message
    return list(changed.values())
