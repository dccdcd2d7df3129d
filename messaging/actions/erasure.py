"""Erases what an organization knows of one person, or of everybody.

The rows of messages stay, with their states and times, so that counts stay true and an outcome
that is under way finds its message. They move to a contact without addresses and a name. What they
say, their files, and what the log tells of them go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from events import log
from events.models import CONNECTION_TYPES, Event, EventType
from messaging.actions import contacts, outboxes, statuses
from messaging.actions.contacts import Address
from messaging.limits import DAY
from messaging.models import (
    CANCELLABLE_STATES,
    Contact,
    HandledId,
    IdempotencyKey,
    Media,
    Message,
)
from organizations.access import Actor
from organizations.audit import Action, log_audit
from organizations.encryption import without_encrypted
from organizations.locks import lock_full_data
from organizations.models import Organization
from organizations.phone_numbers import same_number

State, Direction = Message.State, Message.Direction

# So many messages are erased in one transaction, so that others go on in between.
AT_ONCE = 500
REASON = "erased"
KEPT_OF_EVENTS = frozenset(
    {"id", "messageId", "whatsappId", "type", "state", "reason", "fromMe", "at"}
)
"""What the log still tells of an erased message."""

CHANGES = (
    EventType.MESSAGE_EDITED,
    EventType.MESSAGE_DELETED,
    EventType.REACTION_ADDED,
    EventType.REACTION_REMOVED,
)


def erase_contact(organization: Organization, contact_id: int, actor: Actor) -> int:
    """Erase everything of one person. Return how many messages that were.

    Raises Contact.DoesNotExist and PermissionDenied.
    """
    address, count = _begin_contact(organization, contact_id, actor)
    _Erasure(organization.pk, address).run()
    return count


def erase_all(organization: Organization, actor: Actor) -> int:
    """Erase all messages, people and files. Return how many messages that were.

    Raises PermissionDenied.
    """
    count = _begin_all(organization, actor)
    _Erasure(organization.pk).run()
    return count


@transaction.atomic
def _begin_contact(
    organization: Organization, contact_id: int, actor: Actor
) -> tuple[Address, int]:
    """Check the right and audit the erasure. Return the person's address and number of messages."""
    locked = lock_full_data(organization, actor)
    contact = _people(locked.pk).get(pk=contact_id)
    count = contact.messages.count()
    log_audit(Action.CONTACT_ERASED, locked, actor, str(count))
    return Address(contact.number, contact.lid), count


@transaction.atomic
def _begin_all(organization: Organization, actor: Actor) -> int:
    """Check the right and audit the erasure. Return the number of messages."""
    locked = lock_full_data(organization, actor)
    count = erasable(locked.pk).count()
    log_audit(Action.MESSAGES_ERASED, locked, actor, str(count))
    return count


class _Erasure:
    """Erases one person, or everybody, in several transactions, so that others go on in between."""

    def __init__(self, organization_id: int, address: Address | None = None) -> None:
        self._organization_id = organization_id
        self._address = address
        self._into: Contact | None = None
        self._redacted = 0  # The last sequence of the log up to which it is.

    def run(self) -> None:
        """Erase messages and people, and what the log tells of them.

        The people go last, with what the log has got of them meanwhile: an erasure that fails can
        be requested again.
        """
        self._redact()
        while self._erase_some():
            pass

    def _redact(self) -> None:
        """Redact what was appended to the log since the last time."""
        last = log.last_sequence(self._organization_id)
        new = Q(sequence__gt=self._redacted, sequence__lte=last)
        events = Event.objects.filter(new, organization=self._organization_id)
        if (address := self._address) is None:
            log.redact(events.exclude(type__in=CONNECTION_TYPES), KEPT_OF_EVENTS)
        else:
            # Those about another person's message, or about one that is not known here.
            changes = events.filter(type__in=CHANGES)
            log.redact(changes, KEPT_OF_EVENTS, lambda data: _is_of(data, address))
        self._redacted = last

    @transaction.atomic
    def _erase_some(self) -> bool:
        """Erase some messages, and with the last ones the people. Return whether there are more."""
        organization_id = self._organization_id
        if outboxes.lock(organization_id) is None:
            return False
        people = self._find_people()
        messages = Message.objects.filter(organization=organization_id, contact__in=people)
        waiting = messages.filter(state__in=CANCELLABLE_STATES)
        statuses.change_all(organization_id, waiting, State.CANCELLED, REASON)
        rows = messages.only("public_id", "type", "media_id", "whatsapp_id", "direction")
        found = list(rows.order_by("pk")[:AT_ONCE])
        if found:
            self._into = self._into or Contact.objects.create(organization_id=organization_id)
            _erase_rows(organization_id, found, self._into)
        if len(found) == AT_ONCE:
            return True
        self._redact()
        _erase_people(people)
        if self._address is None:
            _delete_files(Media.objects.filter(organization=organization_id))
        return False

    def _find_people(self) -> QuerySet[Contact]:
        """Return whom to erase.

        By the address: who was known by number and LID apart may have become one meanwhile.
        """
        people = _people(self._organization_id)
        if self._address is None:
            return people
        contact = contacts.find(self._organization_id, self._address)
        return people.filter(pk=contact.pk) if contact else people.none()


def erasable(organization_id: int) -> QuerySet[Message]:
    """Return the messages of an organization that were not erased with a person."""
    people = _people(organization_id)
    return Message.objects.filter(organization=organization_id, contact__in=people)


def _people(organization_id: int) -> QuerySet[Contact]:
    """Return the contacts of an organization that were not erased, to be erased: without names."""
    people = Contact.objects.filter(organization=organization_id)
    return without_encrypted(people.exclude(number="", lid=""))


def _erase_people(people: QuerySet[Contact]) -> None:
    """Delete people; those who still count against a limit lose their addresses instead."""
    counts = Q(first_written_at__gt=timezone.now() - DAY)
    people.exclude(counts).delete()
    people.update(number="", lid="", name=None, on_whatsapp=None, resolved_at=None)


def _erase_rows(organization_id: int, messages: Sequence[Message], into: Contact) -> None:
    """Erase these messages, the files that only they carry, and what the log tells of them."""
    # A message that arrives once more would be stored anew, or be taken for a lost one.
    HandledId.objects.bulk_create(
        [
            HandledId(organization_id=organization_id, whatsapp_id=message.whatsapp_id)
            for message in messages
            if message.whatsapp_id and message.direction != Direction.OUT
        ],
        ignore_conflicts=True,
    )
    _empty_rows(messages, into)
    # It is a digest of what was written to whom.
    IdempotencyKey.objects.filter(message__in=messages).update(body_hash="")
    files = {message.media_id for message in messages if message.media_id is not None}
    _delete_files(Media.objects.filter(pk__in=files))
    subjects = [message.public_id for message in messages]
    events = Event.objects.filter(organization=organization_id, subject__in=subjects)
    log.redact(events, KEPT_OF_EVENTS)


def _delete_files(files: QuerySet[Media]) -> None:
    """Delete those of these files that no message carries."""
    without_encrypted(files.filter(messages=None)).delete()


def _empty_rows(messages: Sequence[Message], into: Contact) -> None:
    """Move these messages to a contact, without anything that they say."""
    same: dict[tuple[str, bool], list[int]] = {}
    for message in messages:
        same.setdefault((message.type, message.direction == Direction.OUT), []).append(message.pk)
    for (kind, own), ids in same.items():
        # Receipts need the ids of our own; two people may have sent us one and the same.
        changes: dict[str, Any] = {} if own else {"whatsapp_id": ""}
        Message.objects.filter(pk__in=ids).update(
            contact=into,
            content={kind: {}, "context": None},
            # It may say what was written, or to whom.
            callback_data=None,
            media=None,
            group="",
            read_mark_pending=False,
            erased_at=timezone.now(),
            **changes,
        )


def _is_of(data: Mapping[str, Any], address: Address) -> bool:
    """Return whether an event names this person."""
    person = data.get("from") or {}
    if address.lid and person.get("lid") == address.lid:
        return True
    number = (person.get("phone") or "").removeprefix("+")
    return bool(address.number) and same_number(number, address.number)
