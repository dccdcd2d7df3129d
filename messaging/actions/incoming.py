"""Stores what WhatsApp brings: messages, receipts, edits, deletions, reactions. Each once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from events import log
from events.log import NewEvent
from events.models import EventType
from messaging.actions import changes, contacts, receipts
from messaging.actions.contacts import Address
from messaging.actions.descriptions import describe_received
from messaging.models import Contact, HandledId, Media, Message, MessagingSettings
from organizations.models import Organization

logger = logging.getLogger(__name__)

Record = Mapping[str, Any]

State = Message.State
Direction = Message.Direction

MEDIA_TYPES = frozenset({"image", "video", "audio", "document", "sticker"})
CHANGE_TYPES = frozenset({"reaction", "edit", "delete"})
# They carry nothing that a person wrote.
SILENT_TYPES = frozenset({"protocol"})
FILLABLE = frozenset({State.UNREADABLE, State.LOST})


@transaction.atomic
def store(organization_id: int, records: Sequence[Record]) -> None:
    """Store records of one organization, as the host process spools them, in their order.

    A record that was stored before changes nothing, so a spool may be read again after a crash.
    An organization that is deleted meanwhile loses its records with everything else.
    """
    if not Organization.objects.filter(pk=organization_id).exists():
        return
    inbox = _Inbox(organization_id, records)
    for record in records:
        inbox.store(record)
    log.append(organization_id, inbox.events)
    receipts.apply(organization_id, [found for found in records if found["kind"] == "receipt"])


class _Inbox:
    """One batch of an organization's records."""

    def __init__(self, organization_id: int, records: Sequence[Record]) -> None:
        self._organization_id = organization_id
        self.events: list[NewEvent] = []
        self._settings = MessagingSettings.of(organization_id)
        ids = {record["id"] for record in records if "id" in record}
        handled = HandledId.objects.filter(organization=organization_id, whatsapp_id__in=ids)
        self._handled = set(handled.values_list("whatsapp_id", flat=True))
        self._contacts: dict[Address, Contact] = {}

    def store(self, record: Record) -> None:
        """Store one record."""
        if record["kind"] in ("unparsed", "broken"):
            # Neither the library's event nor the damaged line is logged: they hold texts.
            logger.error(
                "a record cannot be read",
                extra={"organization": self._organization_id, "record": record["kind"]},
            )
        elif record["kind"] in ("message", "undecryptable") and record["id"] not in self._handled:
            self._store_message(record)

    def _store_message(self, record: Record) -> None:
        kind = record.get("type", "unsupported")
        if kind in SILENT_TYPES or (record["group"] and not self._settings.groups):
            return self._mark_handled(record)
        if record["kind"] == "message" and kind in CHANGE_TYPES:
            self._mark_handled(record)
            self.events += changes.apply(self._organization_id, self._contact(record), record)
            return
        contact = self._contact(record)
        existing = Message.objects.filter(
            organization=self._organization_id, contact=contact, whatsapp_id=record["id"]
        ).first()
        if existing is None:
            self._create(record, contact)
        elif record["kind"] == "message" and existing.state in FILLABLE:
            self._fill(existing, record)

    def _contact(self, record: Record) -> Contact:
        """Return the contact of a chat; in a group, of the sender."""
        pair = ("sender", "sender_alt") if record["group"] else ("chat", "chat_alt")
        address = Address.of(*(record[name] for name in pair))
        if address not in self._contacts:
            self._contacts[address] = contacts.find_or_create(self._organization_id, address)
        contact = self._contacts[address]
        at = _time(record["timestamp"])
        if not record["from_me"] and (
            contact.last_received_at is None or contact.last_received_at < at
        ):
            contact.last_received_at = at
            contact.name = record.get("push_name") or contact.name
            contact.save(update_fields=["last_received_at", "name"])
        return contact

    def _create(self, record: Record, contact: Contact) -> None:
        readable = record["kind"] == "message"
        direction = Direction.ELSEWHERE if record["from_me"] else Direction.IN
        state = State.RECEIVED if readable else State.UNREADABLE
        if record["from_me"] and readable:
            state = State.SENT
        message = Message(
            organization_id=self._organization_id,
            contact=contact,
            direction=direction,
            state=state,
            whatsapp_id=record["id"],
            group=record["chat"] if record["group"] else "",
            number=record["account"],
            happened_at=_time(record["timestamp"]),
        )
        self._write_content(message, record)
        message.save()
        if readable:
            self.events.append(received_event(message, contact))

    def _fill(self, message: Message, record: Record) -> None:
        """Fill a message that could not be read before, or that was thought lost."""
        message.state = State.SENT if record["from_me"] else State.RECEIVED
        self._write_content(message, record)
        message.save()
        self.events.append(received_event(message, message.contact))

    def _write_content(self, message: Message, record: Record) -> None:
        """Set what a message says; make a row for the media that it carries."""
        message.type = record.get("type", "unsupported")
        message.content = describe_received(record)
        if message.type in MEDIA_TYPES:
            about = record[message.type]
            message.media = Media.objects.create(
                organization_id=self._organization_id,
                size=about.get("size") or 0,
                sha256=about.get("sha256") or "",
                filename=about.get("filename"),
                source=record.get("media"),
                next_try_at=timezone.now(),
            )

    def _mark_handled(self, record: Record) -> None:
        self._handled.add(record["id"])
        HandledId.objects.get_or_create(
            organization_id=self._organization_id, whatsapp_id=record["id"]
        )


def received_event(message: Message, contact: Contact) -> NewEvent:
    """Return the event of a message that came in, or that was written on another device."""
    elsewhere = message.direction == Direction.ELSEWHERE
    other = {
        "phone": f"+{contact.number}" if contact.number else None,
        "lid": contact.lid or None,
        "waId": contact.number or None,
        "name": contact.name,
    }
    data = {
        "id": message.public_id,
        "whatsappId": message.whatsapp_id,
        "to" if elsewhere else "from": other,
        "type": message.type,
        **message.content,
        "group": message.group or None,
        "at": message.happened_at.isoformat(),
    }
    if message.media is not None:
        data["media"] = {"id": message.media.public_id, "state": message.media.state}
    kind = EventType.MESSAGE_SENT_ELSEWHERE if elsewhere else EventType.MESSAGE_RECEIVED
    return NewEvent(kind, data, message.public_id)


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
