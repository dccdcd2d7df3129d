"""Events about an earlier message: reactions, edits, deletions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from events import log
from events.log import NewEvent
from events.models import EventType
from messaging.actions.descriptions import describe_person, storable
from messaging.models import Contact, Message, storable_id


@dataclass(frozen=True)
class Change:
    """What a record about an earlier message does: its events, and the message that it edits."""

    events: list[NewEvent] = field(default_factory=list)
    edited: Message | None = None


def target_id(record: Mapping[str, Any]) -> str | None:
    """Return the id of the message that a record is about, None if it is about none."""
    target = (record.get(record.get("type", "")) or {}).get("target")
    return storable_id(target.get("id", "")) if target else None


def apply(
    contact: Contact, record: Mapping[str, Any], rows: Mapping[str, Sequence[Message]]
) -> Change:
    """Apply a reaction, an edit or a deletion from WhatsApp.

    `rows`: stored messages by WhatsApp's id. The message may be unknown here: then the event names
    it by that id alone.
    """
    kind = record["type"]
    named = target_id(record)
    target = _target(contact, record, rows.get(named or "", ()))
    received = Message.Direction.IN
    if kind != "reaction" and target is not None:
        foreign = (target.direction == received) == record["from_me"]
        if foreign or target.contact_id != contact.pk:
            return Change()  # Each side edits and deletes its own messages only.
        if kind == "edit" and target.erased_at is not None:
            return Change()  # Its text is kept nowhere, nor is the new one.
    data: dict[str, Any] = {
        "id": target.public_id if target else None,
        "whatsappId": named,
        "from": describe_person(contact),
        "fromMe": record["from_me"],
    }
    subject = target.public_id if target else ""
    about = storable(record.get(kind) or {})
    if kind == "reaction":
        emoji = about.get("emoji")
        event = EventType.REACTION_ADDED if emoji else EventType.REACTION_REMOVED
        return Change([NewEvent(event, {**data, "emoji": emoji or None}, subject)])
    if kind == "delete":
        return Change([NewEvent(EventType.MESSAGE_DELETED, data, subject)])
    body = about.get("body", "")
    if target is not None:
        target.content = _edited(target, body)
    return Change(
        [NewEvent(EventType.MESSAGE_EDITED, {**data, "text": {"body": body}}, subject)], target
    )


def apply_own_edit(edit: Message) -> None:
    """Store what a message of ours says after an edit of it was sent, with its event.

    The caller holds the lock of outboxes.py. WhatsApp tells us of edits on other devices only.
    """
    body, reference = edit.content["edit"].get("body"), edit.content["edit"].get("target")
    if body is None or reference is None:
        return  # What it says was erased.
    named = {"contact": edit.contact_id, "public_id": reference["messageId"]}
    target = Message.objects.filter(**named, erased_at=None).first()
    if target is None:
        return
    target.content = _edited(target, body)
    target.save(update_fields=["content"])
    data = {
        "id": target.public_id,
        "whatsappId": target.whatsapp_id,
        "from": describe_person(edit.contact),
        "fromMe": True,
        "text": {"body": body},
    }
    event = NewEvent(EventType.MESSAGE_EDITED, data, target.public_id)
    log.append(edit.organization_id, [event])


def _target(contact: Contact, record: Mapping[str, Any], rows: Sequence[Message]) -> Message | None:
    """Return the message that a record names: in the same group, or in the chat with a person."""
    group = record["chat"] if record.get("group") else ""
    for row in rows:
        if row.group == group and (group or row.contact_id == contact.pk):
            return row
    return None


def _edited(message: Message, body: str) -> dict[str, Any]:
    """Return the content of a message after an edit of its text, or of its caption."""
    own = message.content.get(message.type)
    if message.media_id is not None and own is not None:
        return {**message.content, message.type: {**own, "caption": body}}
    return {**message.content, "text": {"body": body}}
