"""Finds and creates contacts by the two addresses that WhatsApp uses for a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from messaging.models import Contact, Message
from organizations.phone_numbers import spellings

USER_SERVER, LID_SERVER = "s.whatsapp.net", "lid"


@dataclass(frozen=True)
class Address:
    """A person's addresses: the digits of the phone number and of the LID; one may be ""."""

    number: str = ""
    lid: str = ""

    @classmethod
    def of(cls, *jids: str) -> Address:
        """Return the address that these JIDs name together."""
        found = {USER_SERVER: "", LID_SERVER: ""}
        for jid in jids:
            user, _, server = jid.partition("@")
            if server in found and user:
                found[server] = user.partition(":")[0]
        return cls(found[USER_SERVER], found[LID_SERVER])


def find(organization_id: int, address: Address) -> Contact | None:
    """Return the contact at an address, in any spelling of the number. See `find_or_create`."""
    found: list[Contact] = []
    contacts = Contact.objects.filter(organization=organization_id)
    if address.lid:
        found += contacts.filter(lid=address.lid)
    if address.number:
        numbers = [address.number, *spellings(address.number)]
        found += contacts.filter(number__in=numbers).exclude(pk__in=[c.pk for c in found])
    if not found:
        return None
    first, *others = sorted(found, key=lambda contact: (not contact.number, contact.pk))
    for other in others:
        _merge(first, other)
    return first


def find_or_create(organization_id: int, address: Address) -> Contact:
    """Return the contact at an address, and store what the address adds to it.

    A contact that was known by its number and another one that was known by its LID become one when
    an address names both. The caller holds the organization's outbox or log lock, or retries.
    """
    contact = find(organization_id, address)
    if contact is None:
        contact, _ = Contact.objects.get_or_create(
            organization_id=organization_id, number=address.number, lid=address.lid
        )
        return contact
    changed = []
    if address.lid and contact.lid != address.lid:
        contact.lid = address.lid
        changed.append("lid")
    if address.number and not contact.number:
        contact.number = address.number
        changed.append("number")
    if changed:
        contact.save(update_fields=changed)
    return contact


def _merge(into: Contact, other: Contact) -> None:
    """Move all messages of `other`, and delete it."""
    doubled = Message.objects.filter(contact=into).exclude(whatsapp_id="").values("whatsapp_id")
    other.messages.filter(whatsapp_id__in=doubled).delete()
    other.messages.update(contact=into)
    into.lid = into.lid or other.lid
    into.name = into.name or other.name
    into.last_received_at = _latest(into.last_received_at, other.last_received_at)
    into.last_sent_at = _latest(into.last_sent_at, other.last_sent_at)
    into.first_written_at = into.first_written_at or other.first_written_at
    other.delete()
    into.save()


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((time for time in (one, other) if time), default=None)
