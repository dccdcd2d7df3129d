"""Stores what WhatsApp brings: messages, receipts, edits, deletions, reactions. Each once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from django.db import transaction
from django.utils import timezone

from events import log
from events.log import NewEvent
from events.models import EventType
from messaging.actions import changes, histories, lost, outboxes, receipts
from messaging.actions.contacts import Address, Contacts
from messaging.actions.descriptions import (
    describe_person,
    describe_received,
    received_at,
    storable,
)
from messaging.actions.row_updates import save_rows
from messaging.models import (
    ABOUT_MESSAGES,
    FILLABLE_STATES,
    MEDIA_MESSAGES,
    Contact,
    HandledId,
    Media,
    Message,
    MessagingSettings,
    storable_id,
)

logger = logging.getLogger(__name__)

Record = Mapping[str, Any]

Batch = tuple[int, Sequence[Record]]
"""An organization, and records of its spools."""

State = Message.State
Direction = Message.Direction

# They carry nothing that a person wrote.
SILENT_TYPES = frozenset({"protocol"})
GROUP_SERVER = "@g.us"
FILLED = (
    *("contact", "direction", "group", "type", "content", "media", "state"),
    *("happened_at", "sent_at"),
)


@transaction.atomic
def store(batches: Sequence[Batch]) -> None:
    """Store records of organizations, as host processes spool them, in their order.

    A record that was stored before changes nothing, so a spool may be read again after a crash.
    An organization that is deleted meanwhile loses its records with everything else.
    """
    records: dict[int, list[Record]] = {}
    for organization_id, found in batches:
        records.setdefault(organization_id, []).extend(found)
    held = outboxes.lock_all(records)
    locked = {pk: records[pk] for pk in sorted(held)}
    for pk, found in locked.items():
        histories.record(held[pk], _of_kind(found, "history"))
    events = {pk: _store_messages(pk, found) for pk, found in locked.items()}
    told = receipts.apply({pk: _of_kind(found, "receipt") for pk, found in locked.items()})
    # In one call, so that all counters are locked upwards.
    log.append_all({pk: [*found, *told.get(pk, ())] for pk, found in events.items()})


def _store_messages(organization_id: int, records: Sequence[Record]) -> list[NewEvent]:
    """Store an organization's messages, and those that were lost. Return their events."""
    for record in _of_kind(records, "unparsed", "broken"):
        # Neither the library's event nor the damaged line is logged: they hold texts.
        logger.error(
            "a record cannot be read",
            extra={"organization": organization_id, "record": record["kind"]},
        )
    events: list[NewEvent] = []
    if messages := _of_kind(records, "message", "undecryptable"):
        inbox = _Inbox(organization_id, messages)
        for record in inbox.messages:
            inbox.store(record)
        inbox.save()
        events += inbox.events
    return events + lost.record_repeated(organization_id, _of_kind(records, "repeated"))


def _of_kind(records: Iterable[Record], *kinds: str) -> list[Record]:
    return [record for record in records if record["kind"] in kinds]


class _Inbox:
    """One batch of an organization's messages. It reads and writes each table once."""

    def __init__(self, organization_id: int, records: Sequence[Record]) -> None:
        self._organization_id = organization_id
        self.events: list[NewEvent] = []
        ids = {storable_id(record["id"]) for record in records}
        handled = HandledId.objects.filter(organization=organization_id, whatsapp_id__in=ids)
        self._handled = set(handled.values_list("whatsapp_id", flat=True))
        self._newly_handled: list[str] = []
        self.messages = [record for record in records if self._is_kept(record)]
        self._contacts = Contacts(organization_id, map(_address, self.messages))
        self._contacts.learn()
        self._changed_contacts: dict[int, Contact] = {}
        self._rows = self._read(ids)
        self._created: list[Message] = []
        self._changed: dict[int, Message] = {}
        self._withdrawn: list[Message] = []
        for record in records:
            if record.get("type") in SILENT_TYPES and not _is_key_only(record):
                self._withdraw(record)

    @cached_property
    def _keeps_groups(self) -> bool:
        return MessagingSettings.of(self._organization_id).groups

    def _is_kept(self, record: Record) -> bool:
        """Return whether a record is stored; remember the id of one that is dropped knowingly."""
        if storable_id(record["id"]) in self._handled or _is_hidden(record):
            return False
        shared = record.get("group", False)
        wanted = not shared or (record["chat"].endswith(GROUP_SERVER) and self._keeps_groups)
        silent = record.get("type") in SILENT_TYPES
        if wanted and not silent and _address(record).names_person:
            return True
        if wanted and _is_key_only(record):
            return False
        self._mark_handled(record)
        return False

    def _read(self, ids: set[str]) -> dict[str, list[Message]]:
        """Return the stored messages that have these records' ids, or that they are about."""
        about = {changes.target_id(record) for record in self.messages} - {None}
        found = Message.objects.filter(
            organization=self._organization_id, whatsapp_id__in={*ids, *about}
        )
        rows: dict[str, list[Message]] = {}
        for message in found.defer("content").order_by("pk"):
            rows.setdefault(message.whatsapp_id, []).append(message)
        return rows

    def store(self, record: Record) -> None:
        """Store one record of a message."""
        whatsapp_id = storable_id(record["id"])
        if whatsapp_id in self._handled:
            return
        contact = self._contact(record)
        if record["kind"] == "message" and record.get("type") in ABOUT_MESSAGES:
            self._mark_handled(record)
            self._withdraw(record)
            change = changes.apply(contact, record, self._rows)
            self.events += change.events
            if change.edited is not None and change.edited.pk is not None:
                self._changed[change.edited.pk] = change.edited
            return
        existing = self._existing(whatsapp_id, contact, record["from_me"])
        if existing is None:
            self._create(record, contact)
        elif record["kind"] == "message" and existing.state in FILLABLE_STATES:
            self._fill(existing, record, contact)

    def _existing(self, whatsapp_id: str, contact: Contact, from_me: bool) -> Message | None:
        """Return the row of a message: of one of ours, or of one of the person's.

        One whose text is not known yet may be in another chat, as the person's other address was
        not known then.
        """
        rows = self._rows.get(whatsapp_id, [])
        same = (
            row
            for row in rows
            if row.contact_id == contact.pk and (row.direction != Direction.IN) == from_me
        )
        unknown = (row for row in rows if row.state in FILLABLE_STATES)
        return next(same, None) or next(unknown, None)

    def _contact(self, record: Record) -> Contact:
        """Return the contact of a chat; in a group, of the sender."""
        contact = self._contacts.get(_address(record))
        assert contact is not None and contact.pk is not None
        at = received_at(record)
        if not record["from_me"] and (
            contact.last_received_at is None or contact.last_received_at < at
        ):
            if record.get("group"):
                # Who writes in a group has not written to us, and gets no "answers".
                contact.on_whatsapp = True
            else:
                contact.last_received_at = at
            contact.name = storable(record.get("push_name")) or contact.name
            self._changed_contacts[contact.pk] = contact
        return contact

    def _create(self, record: Record, contact: Contact) -> None:
        message = Message(
            organization_id=self._organization_id,
            whatsapp_id=storable_id(record["id"]),
            number=record.get("account", ""),
        )
        self._write(message, record, contact)
        self._created.append(message)
        self._rows.setdefault(message.whatsapp_id, []).append(message)

    def _fill(self, message: Message, record: Record, contact: Contact) -> None:
        """Fill a message that could not be read before, or that was thought lost."""
        self._write(message, record, contact)
        if message.pk is not None:
            self._changed[message.pk] = message

    def _write(self, message: Message, record: Record, contact: Contact) -> None:
        """Set all that a record says; make a row for the media that it carries."""
        readable, from_me = record["kind"] == "message", record["from_me"]
        message.contact = contact
        message.direction = Direction.ELSEWHERE if from_me else Direction.IN
        message.state = State.UNREADABLE
        message.group = record["chat"] if record.get("group") else ""
        message.happened_at = received_at(record)
        message.type = record.get("type", "unsupported")
        message.content = describe_received(record)
        if not readable:
            return
        message.state = State.SENT if from_me else State.RECEIVED
        message.sent_at = message.happened_at if from_me else None
        if message.type in MEDIA_MESSAGES:
            message.media = self._new_media(record)
        self.events.append(received_event(message, contact))

    def _new_media(self, record: Record) -> Media:
        about = record.get(record["type"]) or {}
        sha256 = about.get("sha256") or ""
        return Media(
            organization_id=self._organization_id,
            size=storable(about.get("size") or 0),
            sha256=sha256 if len(sha256) == 64 else "",
            filename=storable(about.get("filename")),
            source=record.get("media"),
            next_try_at=timezone.now(),
        )

    def _withdraw(self, record: Record) -> None:
        """Take back the rows of what could not be read before, and is no message of its own."""
        whatsapp_id = storable_id(record["id"])
        group = record["chat"] if record.get("group") else ""
        wrong: list[Message] = []
        right: list[Message] = []
        for row in self._rows.get(whatsapp_id, []):
            same = row.group == group and (row.direction != Direction.IN) == record["from_me"]
            (wrong if same and row.state in FILLABLE_STATES else right).append(row)
        self._rows[whatsapp_id] = right
        self._created = [row for row in self._created if row not in wrong]
        for row in wrong:
            if row.pk is not None:
                self._changed.pop(row.pk, None)
                self._withdrawn.append(row)

    def _mark_handled(self, record: Record) -> None:
        whatsapp_id = storable_id(record["id"])
        if whatsapp_id not in self._handled:
            self._handled.add(whatsapp_id)
            self._newly_handled.append(whatsapp_id)

    def save(self) -> None:
        """Write what has changed."""
        lost.withdraw(self._organization_id, self._withdrawn)
        HandledId.objects.bulk_create(
            HandledId(organization_id=self._organization_id, whatsapp_id=whatsapp_id)
            for whatsapp_id in self._newly_handled
        )
        save_rows(self._changed_contacts.values(), ["last_received_at", "name", "on_whatsapp"])
        written = [*self._created, *self._changed.values()]
        media = [message.media for message in written if message.media is not None]
        Media.objects.bulk_create([found for found in media if found.pk is None])
        Message.objects.bulk_create(self._created)
        save_rows(self._changed.values(), FILLED)


def _is_hidden(record: Record) -> bool:
    """Return whether it could not be read, and is no message of its own: nobody is to miss it.

    A copy that can be read may still come.
    """
    unreadable = record["kind"] == "undecryptable"
    # What the own phone tells its devices has the category "peer".
    return bool(unreadable and (record.get("hidden") or record.get("category") == "peer"))


def _is_key_only(record: Record) -> bool:
    """Return whether it brings a sender's key, and what is written follows under the same id."""
    name = (record.get("protocol") or {}).get("name")
    return name == "sender_key" or bool(name == "none" and record.get("group"))


def _address(record: Record) -> Address:
    """Return the address of a chat; in a group, of the sender."""
    names = ("sender", "sender_alt") if record.get("group") else ("chat", "chat_alt")
    return Address.of(*(record.get(name) or "" for name in names))


def received_event(message: Message, contact: Contact) -> NewEvent:
    """Return the event of a message that came in, or that was written on another device."""
    elsewhere = message.direction == Direction.ELSEWHERE
    data = {
        "id": message.public_id,
        "whatsappId": message.whatsapp_id,
        "to" if elsewhere else "from": describe_person(contact),
        "type": message.type,
        **message.content,
        "group": message.group or None,
        "at": message.happened_at.isoformat(),
    }
    if message.media is not None:
        data["media"] = {"id": message.media.public_id, "state": message.media.state}
    kind = EventType.MESSAGE_SENT_ELSEWHERE if elsewhere else EventType.MESSAGE_RECEIVED
    return NewEvent(kind, data, message.public_id)
