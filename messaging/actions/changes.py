"""Events about an earlier message: reactions, edits, deletions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from events.log import NewEvent
from events.models import EventType
from messaging.models import Contact, Message


def apply(organization_id: int, contact: Contact, record: Mapping[str, Any]) -> list[NewEvent]:
    """Apply a reaction, an edit or a deletion from WhatsApp, and return its event.

    The message may be unknown here: then the event names it by WhatsApp's id alone.
    """
    kind = record["type"]
    target_id = record[kind]["target"]["id"]
    chat = Message.objects.filter(organization=organization_id, contact=contact)
    if kind != "reaction":
        # Each side edits and deletes its own messages only.
        received = Message.Direction.IN
        chat = (
            chat.exclude(direction=received)
            if record["from_me"]
            else chat.filter(direction=received)
        )
    target = chat.filter(whatsapp_id=target_id).first()
    data: dict[str, Any] = {
        "id": target.public_id if target else None,
        "whatsappId": target_id,
        "from": {
            "phone": f"+{contact.number}" if contact.number else None,
            "lid": contact.lid or None,
            "waId": contact.number or None,
            "name": contact.name,
        },
        "fromMe": record["from_me"],
    }
    subject = target.public_id if target else ""
    if kind == "reaction":
        emoji = record["reaction"]["emoji"]
        event = EventType.REACTION_ADDED if emoji else EventType.REACTION_REMOVED
        return [NewEvent(event, {**data, "emoji": emoji or None}, subject)]
    if kind == "edit":
        body = record["edit"].get("body", "")
        if target is not None:
            target.content = {**target.content, "text": {"body": body}}
            target.save(update_fields=["content"])
        return [NewEvent(EventType.MESSAGE_EDITED, {**data, "text": {"body": body}}, subject)]
    return [NewEvent(EventType.MESSAGE_DELETED, data, subject)]
