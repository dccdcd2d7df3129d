"""Serializers of what a message says: one for the object of each type.

Names within these objects are those of WhatsApp's own API where it has them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from rest_framework import serializers

from messaging.emoji import is_one_emoji
from messaging.limits import TEXT_LENGTH
from messaging.models import PUBLIC_ID_PATTERN
from organizations.api.serializers import (
    NUMBER_HELP,
    PhoneNumberField,
    StrictBooleanField,
    StrictCharField,
)
from organizations.phone_numbers import format_phone_number
from outbound.addresses import MAX_URL_BYTES

CAPTION_LENGTH, LINE_LENGTH = 1024, 250
EMPTY_TEXT = _("Write something more than spaces.")
ONE_EMOJI = _("It must be one emoji, or empty to take a reaction back.")
NOT_A_NUMBER = _("It must be a number.")
ID_OR_LINK = _("Give the id of an uploaded file, or a link to one, and not both.")


class TextField(StrictCharField):
    """A text as it is sent, with its spaces; it has more than spaces."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: object) -> str:
        text = super().to_internal_value(data)
        if not text.strip():
            raise serializers.ValidationError(gettext(EMPTY_TEXT))
        return text


class StrictFloatField(serializers.FloatField):
    """A number of JSON: "7" is none."""

    def to_internal_value(self, data: object) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            raise serializers.ValidationError(gettext(NOT_A_NUMBER))
        return super().to_internal_value(data)


class MessageIdField(serializers.RegexField):
    """The id of a message, as this API gives it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(f"^{PUBLIC_ID_PATTERN}$", **options)


class BodySerializer(serializers.Serializer[Any]):
    """The text alone."""

    body = TextField(max_length=TEXT_LENGTH)


class TextSerializer(BodySerializer):
    """A text."""

    preview_url = StrictBooleanField(
        required=False,
        help_text="Whether the first link in it is shown with title, description and picture of "
        "its page (default: no). The page is fetched right before the message leaves; if it does "
        "not answer within five seconds, the text goes without.",
    )


class FileSerializer(serializers.Serializer[Any]):
    """A file: one that was uploaded before, or a link to one."""

    id = serializers.RegexField(
        f"^{PUBLIC_ID_PATTERN}$",
        required=False,
        help_text="The id that the upload was answered with; or `link` instead.",
    )
    link = StrictCharField(
        max_length=MAX_URL_BYTES,
        required=False,
        help_text="Where the file is: a public address with https, from which it is fetched now.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("id" in attrs) == ("link" in attrs):
            raise serializers.ValidationError({"id": [gettext(ID_OR_LINK)]})
        return attrs


class CaptionedSerializer(FileSerializer):
    """A picture or a film, with a text below it."""

    caption = TextField(max_length=CAPTION_LENGTH, required=False)


class AudioSerializer(FileSerializer):
    """A sound."""

    voice = StrictBooleanField(
        default=False, help_text="Whether it is shown as a voice message (Ogg with Opus)."
    )


class DocumentSerializer(CaptionedSerializer):
    """A file of any kind."""

    filename = TextField(
        max_length=LINE_LENGTH,
        required=False,
        help_text="What the recipient sees; otherwise the name that it was uploaded with.",
    )


class LocationSerializer(serializers.Serializer[Any]):
    """A place on the map."""

    latitude = StrictFloatField(min_value=-90, max_value=90)
    longitude = StrictFloatField(min_value=-180, max_value=180)
    name = TextField(max_length=LINE_LENGTH, required=False)
    address = TextField(max_length=LINE_LENGTH, required=False)


class CardSerializer(serializers.Serializer[Any]):
    """A contact card. Validated, it is the name and a vCard."""

    name = TextField(max_length=LINE_LENGTH)
    phones = serializers.ListField(
        child=PhoneNumberField(help_text=NUMBER_HELP), min_length=1, max_length=10
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        phones = [(format_phone_number(number), number) for number in attrs["phones"]]
        return {"name": attrs["name"], "vcard": vcard(attrs["name"], phones)}


class CardsSerializer(serializers.Serializer[Any]):
    """Contact cards."""

    contacts = serializers.ListField(child=CardSerializer(), min_length=1, max_length=20)


class ReactionSerializer(serializers.Serializer[Any]):
    """A reaction to a message, which takes the place of the one before."""

    messageId = MessageIdField()
    emoji = StrictCharField(
        max_length=32, allow_blank=True, help_text="One emoji; empty takes the reaction back."
    )

    def validate_emoji(self, value: str) -> str:
        if value and not is_one_emoji(value):
            raise serializers.ValidationError(gettext(ONE_EMOJI))
        return value


class EditSerializer(BodySerializer):
    """Another text for a message that was sent, within 15 minutes."""

    messageId = MessageIdField()


class DeleteSerializer(serializers.Serializer[Any]):
    """A message that was sent, and that is to disappear for everyone."""

    messageId = MessageIdField()


CONTENT: dict[str, type[serializers.Serializer[Any]]] = {
    "text": TextSerializer,
    "image": CaptionedSerializer,
    "video": CaptionedSerializer,
    "audio": AudioSerializer,
    "document": DocumentSerializer,
    "sticker": FileSerializer,
    "location": LocationSerializer,
    "contacts": CardsSerializer,
    "reaction": ReactionSerializer,
    "edit": EditSerializer,
    "delete": DeleteSerializer,
}
"""The types of messages that can be sent, with the object of each."""


def vcard(name: str, phones: Iterable[tuple[str, str]]) -> str:
    """Return a vCard with a name and phone numbers: what is shown, and WhatsApp's digits or ""."""
    escaped = name.replace("\\", "\\\\").replace("\r", "").replace("\n", "\\n")
    escaped = escaped.replace(";", "\\;").replace(",", "\\,")
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"N:;{escaped};;;", f"FN:{escaped}"]
    for shown, number in phones:
        lines.append(f"TEL;type=CELL{f';waid={number}' if number else ''}:{shown}")
    return "\n".join([*lines, "END:VCARD"])
