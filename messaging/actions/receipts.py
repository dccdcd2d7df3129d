"""Applies receipts to outgoing messages: forward only, and also when they come too early."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from messaging.actions import statuses
from messaging.actions.descriptions import received_at
from messaging.models import EarlyReceipt, Message, storable_id

State = Message.State

STATES = {
    "delivered": State.DELIVERED,
    # It arrived at a device that sleeps: official apps show no second tick either.
    "inactive": State.SENT,
    "read": State.READ,
    "played": State.PLAYED,
}
"""What a receipt of a recipient says; others concern our own devices, or ask for a retry."""

KEEP_EARLY = timedelta(days=1)


def apply(organization_id: int, receipts: Iterable[Mapping[str, Any]]) -> None:
    """Apply receipts, as the host process spools them, in one organization.

    The caller holds the lock of outboxes.py, so no id is stored between the look for it and the
    storing of an early receipt.
    """
    steps = [
        (storable_id(whatsapp_id), STATES[receipt["type"]], received_at(receipt))
        for receipt in receipts
        if receipt["type"] in STATES and not receipt["from_me"]
        for whatsapp_id in receipt["ids"]
    ]
    if not steps:
        return
    ids = {whatsapp_id for whatsapp_id, _, _ in steps}
    found = _sent_messages(organization_id, ids)
    changed = _advance(found, steps)
    statuses.save(organization_id, changed)
    EarlyReceipt.objects.bulk_create(
        EarlyReceipt(organization_id=organization_id, whatsapp_id=whatsapp_id, state=state, at=at)
        for whatsapp_id, state, at in steps
        if whatsapp_id not in found
    )


def apply_early(organization_id: int, messages: Iterable[Message]) -> None:
    """Apply receipts that came before these messages' ids were stored."""
    by_id = {message.whatsapp_id: message for message in messages if message.whatsapp_id}
    early = EarlyReceipt.objects.filter(organization=organization_id, whatsapp_id__in=by_id)
    steps = [(found.whatsapp_id, State(found.state), found.at) for found in early.order_by("pk")]
    if steps:
        statuses.save(organization_id, _advance(by_id, steps))
        early.delete()


def delete_old_early_receipts() -> None:
    """Delete early receipts that no message has claimed."""
    EarlyReceipt.objects.filter(stored_at__lt=timezone.now() - KEEP_EARLY).delete()


def _sent_messages(organization_id: int, ids: set[str]) -> dict[str, Message]:
    own = Message.objects.filter(organization=organization_id, whatsapp_id__in=ids)
    own = own.exclude(direction=Message.Direction.IN).select_related("contact")
    # What we sent counts before a row of what was thought lost.
    own = own.defer("content", "contact__name").order_by("direction", "pk")
    return {message.whatsapp_id: message for message in own}


def _advance(
    messages: Mapping[str, Message], steps: Iterable[tuple[str, State, datetime]]
) -> list[Message]:
    """Move messages on, and return those that changed."""
    changed: dict[int, Message] = {}
    for whatsapp_id, state, at in steps:
        message = messages.get(whatsapp_id)
        if message is not None and statuses.may_advance(message, state):
            # Receipts tell whole seconds; no step is earlier than the one before it.
            before = (message.sent_at, message.delivered_at, message.read_at)
            at = max([at, *(time for time in before if time is not None)])
            statuses.set_state(message, state, at=at)
            message.sent_at = message.sent_at or at
            changed[message.pk] = message
    return list(changed.values())
