"""Contact cards as Meta takes them: with numbers in any spelling, and WhatsApp's beside them."""

from __future__ import annotations

import re
from typing import Any

from rest_framework import serializers

from messaging.api.content import LINE_LENGTH, CardSerializer, CardsSerializer, vcard
from messaging.api.serializers import NewMessageSerializer
from organizations.api.serializers import StrictCharField
from organizations.models import Organization
from organizations.phone_numbers import format_phone_number, parse_phone_number

WA_ID = re.compile(r"\+?([0-9]{5,20})")


class PhoneSerializer(serializers.Serializer[Any]):
    """A number of a card. Validated, it is what the card shows, and WhatsApp's digits or ""."""

    phone = StrictCharField(
        max_length=LINE_LENGTH, required=False, allow_null=True, allow_blank=True
    )
    wa_id = StrictCharField(
        max_length=LINE_LENGTH, required=False, allow_null=True, allow_blank=True
    )

    def validate(self, attrs: dict[str, Any]) -> tuple[str, str]:
        phone, wa_id = (_one_line(attrs.get(name) or "") for name in ("phone", "wa_id"))
        if found := WA_ID.fullmatch(wa_id):
            return phone or format_phone_number(found[1]), found[1]
        shown = phone or wa_id
        if not shown:
            text = self.fields["phone"].error_messages["required"]
            raise serializers.ValidationError({"phone": [text]}, code="required")
        organization: Organization | None = self.context.get("organization")
        try:
            number = parse_phone_number(
                shown, *(organization.known_numbers if organization else ())
            )
        except ValueError:
            return shown, ""  # A national or a short one: nobody knows of which account.
        return format_phone_number(number), number


class GraphCardSerializer(CardSerializer):
    """A contact card. Validated, it is the name and a vCard."""

    phones = serializers.ListField(child=PhoneSerializer(), min_length=1, max_length=10)

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        return {"name": attrs["name"], "vcard": vcard(attrs["name"], attrs["phones"])}


class GraphCardsSerializer(CardsSerializer):
    """Contact cards."""

    contacts = serializers.ListField(child=GraphCardSerializer(), min_length=1, max_length=20)


class GraphMessageSerializer(NewMessageSerializer):
    """The body that sends a message, with cards as Meta takes them."""

    contacts = GraphCardsSerializer(required=False)


def _one_line(text: str) -> str:
    """Return a text without what would end its line in a vCard."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
