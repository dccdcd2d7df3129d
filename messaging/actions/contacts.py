"""Finds and creates contacts by the two addresses that WhatsApp uses for a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from messaging.models import FILLABLE_STATES, Contact, Message
from organizations.encryption import without_encrypted
from organizations.phone_numbers import spellings

USER_SERVER, LID_SERVER = "s.whatsapp.net", "lid"
NUMBER_LENGTH, LID_LENGTH = 20, 30


@dataclass(frozen=True)
class Address:
    """A person's addresses: the digits of the phone number and of the LID; one may be ""."""

    number: str = ""
    lid: str = ""

    @classmethod
    def of(cls, *jids: str) -> Address:
        """Return the address that these JIDs name together; both parts are "" for no person."""
        found = {USER_SERVER: "", LID_SERVER: ""}
        limits = {USER_SERVER: NUMBER_LENGTH, LID_SERVER: LID_LENGTH}
        for jid in jids:
            user, _, server = jid.partition("@")
            user = user.partition(":")[0]
            digits = user.isascii() and user.isdigit()
            if server in found and digits and len(user) <= limits[server]:
                found[server] = user
        return cls(found[USER_SERVER], found[LID_SERVER])

    @property
    def names_person(self) -> bool:
        """Whether a person has it; bots, groups and channels have other servers."""
        return bool(self.number or self.lid)


def jid_of(contact: Contact) -> str:
    """Return the JID that WhatsApp prefers for a contact."""
    if contact.lid:
        return f"{contact.lid}@{LID_SERVER}"
    return f"{contact.number}@{USER_SERVER}"


def find(organization_id: int, address: Address) -> Contact | None:
    """Return the contact at an address, in any spelling of the number.

    Its name is read when it is asked for, so that a person whose name needs a key that is gone is
    found to be erased.
    """
    return Contacts(organization_id, [address], names=False).get(address)


def find_or_create(organization_id: int, address: Address, typed: bool = False) -> Contact:
    """Return the contact at an address, and store what the address adds to it.

    `typed`: a person wrote the number, in any spelling; else WhatsApp did, in the account's own.
    The caller holds the lock of outboxes.py.
    """
    found = Contacts(organization_id, [address])
    if not typed or found.get(address) is None:
        found.learn()
    contact = found.get(address)
    assert contact is not None
    return contact


class Contacts:
    """The contacts at some addresses of one organization, read at once, with their names or not."""

    def __init__(
        self, organization_id: int, addresses: Iterable[Address], *, names: bool = True
    ) -> None:
        self._organization_id = organization_id
        self._addresses = [found for found in dict.fromkeys(addresses) if found.names_person]
        self._by_lid: dict[str, Contact] = {}
        self._by_number: dict[str, Contact] = {}
        self._created: list[Contact] = []
        lids = {address.lid for address in self._addresses if address.lid}
        numbers = {number for address in self._addresses for number in _spelled(address.number)}
        rows = Contact.objects.filter(organization=organization_id)
        rows = rows if names else without_encrypted(rows)
        for contact in rows.filter(Q(lid__in=lids) | Q(number__in=numbers)).order_by("pk"):
            self._index(contact)

    def get(self, address: Address) -> Contact | None:
        """Return the contact at an address: by the LID if it is known, else by the number."""
        found = self._by_lid.get(address.lid) if address.lid else None
        return found or self._with_number(address.number)

    def learn(self) -> None:
        """Create the missing contacts, and store what the addresses add to the others.

        A contact that was known by its number and another one that was known by its LID become one
        when an address names both.
        """
        for address in self._addresses:
            self._learn(address)
        self._save_created()

    def _learn(self, address: Address) -> None:
        by_lid, by_number = self._by_lid.get(address.lid), self._with_number(address.number)
        if by_lid is not None and by_number is not None and by_lid is not by_number:
            if by_number.lid:
                # Two LIDs are two people: the number has changed hands.
                self._set(by_number, "", by_number.lid)
            else:
                self._merge(by_lid, by_number)
        contact = by_lid or by_number
        if contact is None:
            contact = Contact(organization_id=self._organization_id)
            self._created.append(contact)
        self._set(contact, address.number or contact.number, address.lid or contact.lid)

    def _set(self, contact: Contact, number: str, lid: str) -> None:
        """Store a contact's addresses."""
        if (contact.number, contact.lid) == (number, lid):
            return
        if self._by_number.get(contact.number) is contact:
            del self._by_number[contact.number]
        if self._by_lid.get(contact.lid) is contact:
            del self._by_lid[contact.lid]
        contact.number, contact.lid = number, lid
        if contact.pk is not None:
            contact.save(update_fields=["number", "lid"])
        self._index(contact)

    def _merge(self, into: Contact, other: Contact) -> None:
        """Move all messages of `other`, and delete it."""
        self._save_created()
        _drop_doubled(into, other)
        other.messages.update(contact=into)
        into.name = into.name or other.name
        into.last_received_at = _latest(into.last_received_at, other.last_received_at)
        into.last_sent_at = _latest(into.last_sent_at, other.last_sent_at)
        into.first_written_at = into.first_written_at or other.first_written_at
        into.resolved_at = _latest(into.resolved_at, other.resolved_at)
        into.on_whatsapp = into.on_whatsapp or other.on_whatsapp
        del self._by_number[other.number]
        other.delete()
        into.save()

    def _save_created(self) -> None:
        Contact.objects.bulk_create(self._created)
        self._created = []

    def _index(self, contact: Contact) -> None:
        if contact.lid:
            self._by_lid[contact.lid] = contact
        if contact.number:
            self._by_number[contact.number] = contact

    def _with_number(self, number: str) -> Contact | None:
        """Return the contact with a number, first in this spelling."""
        found = (self._by_number.get(spelling) for spelling in _spelled(number))
        return next((contact for contact in found if contact is not None), None)


def _spelled(number: str) -> tuple[str, ...]:
    """Return a number in its spellings, this one first; none for ""."""
    return (number, *spellings(number)) if number else ()


def _drop_doubled(into: Contact, other: Contact) -> None:
    """Delete one of each two rows of one message: the one whose text is not known."""
    _also_in(other).filter(contact=into, state__in=FILLABLE_STATES).delete()
    _also_in(into).filter(contact=other).delete()


def _also_in(contact: Contact) -> QuerySet[Message]:
    """Return the messages that have a row in the chat of this contact, too."""
    same = Message.objects.filter(
        contact=contact,
        whatsapp_id=OuterRef("whatsapp_id"),
        direction=OuterRef("direction"),
    )
    return Message.objects.exclude(whatsapp_id="").filter(Exists(same))


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((time for time in (one, other) if time), default=None)
