"""People and numbers in notifications, in Meta's shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloud_api.identifiers import user_id_of, wa_id_of
from connections.models import Connection
from messaging.actions.descriptions import describe_person
from messaging.models import Contact

Json = dict[str, Any]


def own_number(organization_id: int) -> str:
    """Return the digits of an organization's number, "" before one was ever linked."""
    found = Connection.objects.filter(pk=organization_id).values_list("number", "last_number")
    return next((number or last for number, last in found), "")


def address_of(person: Mapping[str, Any]) -> str:
    """Return what a person of an event is written to by."""
    return wa_id_of(_digits(person), person.get("lid") or "")


def contact_json(person: Mapping[str, Any]) -> Json:
    """Return a person of an event. Clients need the object and both ids, whatever is known."""
    return {
        "profile": {"name": person.get("name") or ""},
        "wa_id": address_of(person),
        "user_id": user_id_of(_digits(person), person.get("lid") or ""),
    }


def person_of(contact: Contact) -> Json:
    """Return a stored contact as events name people."""
    return describe_person(contact)


def _digits(person: Mapping[str, Any]) -> str:
    return (person.get("phone") or "").removeprefix("+")
