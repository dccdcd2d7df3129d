"""Requests about messages: the bodies and the query parameters."""

from __future__ import annotations

import base64
import re
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.status import HTTP_400_BAD_REQUEST

from connections.api.errors import RefusedResponse
from events.models import EventType
from messaging.actions import contacts
from messaging.actions.contacts import Address
from messaging.api.content import CONTENT, MessageIdField
from messaging.api.people import may_know
from messaging.models import ABOUT_MESSAGES, Message
from organizations.access import Caller
from organizations.api.serializers import (
    NUMBER_HELP,
    PhoneNumberField,
    StrictBooleanField,
    StrictCharField,
)

KNOWN_HELP = "A number that the API has told of a person is taken as it is told."
SEVERAL_PEOPLE = _(
    "Messages go to one person: give a phone number. Groups, broadcast lists, the status and "
    "channels cannot be written to."
)
UNSUPPORTED_TYPE = _("Messages of the type “{type}” cannot be sent. These can: {types}.")
ANSWERS_NOTHING = _("A message of this type cannot answer another one.")
BAD_CURSOR = _("It is not one that an earlier answer gave.")
UNKNOWN_EVENT = _("There are no events of the type “{type}”.")
UNKNOWN_STATE = _("There is no state “{state}”.")

# The third value is for the action alone.
ON_UNKNOWN = [Message.OnUnknown.KEEP.value, Message.OnUnknown.RESEND.value]

CALLBACK_TOO_LONG = _("It may have {most} bytes at most.")
CALLBACK_BYTES = 512

FILENAME_LENGTH = 250
MAX_SEQUENCE = 2**63 - 1

LID = re.compile(r"\d{1,30}@lid")
PLAIN_NUMBER = re.compile(r"(?:\+|00)?(\d{1,20})", re.ASCII)


class RecipientField(PhoneNumberField):
    """A phone number, or the hidden identity (LID) of somebody who has written before.

    The number of a person who is known here, as the API tells it, is taken also if it is not valid:
    WhatsApp has numbers that no plan of numbers has. Validated, it is an Address.
    """

    def run_validation(self, data: object = empty) -> Any:
        if isinstance(data, str) and "@" in data:
            if not LID.fullmatch(data.strip()):
                raise serializers.ValidationError(gettext(SEVERAL_PEOPLE))
            return Address.of(data.strip())
        try:
            return Address(number=super().run_validation(data))
        except serializers.ValidationError:
            known = self._known(data)
            if known is None:
                raise
            return known

    def _known(self, data: object) -> Address | None:
        """Return the address with this number of a person whom the caller may know."""
        organization = self.context.get("organization")
        found = PLAIN_NUMBER.fullmatch(data.strip()) if isinstance(data, str) else None
        if organization is None or found is None:
            return None
        address = Address(number=found[1])
        contact = contacts.find(organization.pk, address)
        # None: of a command, whose user reads the database anyway.
        caller: Caller | None = self.context["caller"]
        if contact is None or (caller and not may_know(caller, contact, organization)):
            return None
        return address


class CallbackDataField(StrictCharField):
    """A text that the sender wants back, of 512 bytes at most."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: object) -> str:
        text = super().to_internal_value(data)
        if len(text.encode(errors="surrogatepass")) > CALLBACK_BYTES:
            message = gettext(CALLBACK_TOO_LONG).format(most=CALLBACK_BYTES)
            raise serializers.ValidationError(message)
        return text


class ContextSerializer(serializers.Serializer[Any]):
    """The message that is answered."""

    messageId = MessageIdField()


class NewMessageSerializer(serializers.Serializer[Any]):
    """The body that sends a message: its type, and the object of that name."""

    to = RecipientField(
        help_text=f"{NUMBER_HELP} {KNOWN_HELP} Or `…@lid`, the `lid` of somebody who has written "
        "before."
    )
    type = serializers.ChoiceField(list(CONTENT))
    text = CONTENT["text"](required=False)
    image = CONTENT["image"](required=False)
    video = CONTENT["video"](required=False)
    audio = CONTENT["audio"](required=False)
    document = CONTENT["document"](required=False)
    sticker = CONTENT["sticker"](required=False)
    location = CONTENT["location"](required=False)
    contacts = CONTENT["contacts"](required=False)
    reaction = CONTENT["reaction"](required=False)
    edit = CONTENT["edit"](required=False)
    delete = CONTENT["delete"](required=False)
    context = ContextSerializer(required=False, allow_null=True)  # type: ignore[assignment]
    expiresAt = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="When it is of no use any more: in the future, within 24 hours. Default: 1 hour.",
    )
    onUnknown = serializers.ChoiceField(
        ON_UNKNOWN,
        default=Message.OnUnknown.KEEP.value,
        help_text="What happens when nobody knows whether it went out: it stays unknown, or it is "
        "sent once more and may arrive twice.",
    )

    callbackData = CallbackDataField(
        required=False, help_text="It comes back in each `message.status` about the message."
    )

    def to_internal_value(self, data: Any) -> Any:
        """Name a type that cannot be sent, whatever else is wrong."""
        kind = data.get("type") if isinstance(data, dict) else None
        if isinstance(kind, str) and kind not in CONTENT:
            text = gettext(UNSUPPORTED_TYPE).format(type=kind[:40], types=", ".join(CONTENT))
            raise RefusedResponse(HTTP_400_BAD_REQUEST, "unsupported_type", f"type: {text}")
        return super().to_internal_value(data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        kind = attrs["type"]
        if kind not in attrs:
            raise serializers.ValidationError(
                {kind: [gettext("This field is required.")]}, code="required"
            )
        if attrs.get("context") and kind in ABOUT_MESSAGES:
            raise serializers.ValidationError({"context": [gettext(ANSWERS_NOTHING)]})
        return attrs


def cursor_of(number: int) -> str:
    """Return a number as a cursor."""
    return base64.urlsafe_b64encode(str(number).encode()).decode().rstrip("=")


def parse_cursor(cursor: str) -> int:
    """Return the number that `cursor_of` has put into a cursor. Raises ValueError."""
    padded = cursor + "=" * (-len(cursor) % 4)
    number = base64.b64decode(padded.encode("ascii"), b"-_", validate=True).decode("ascii")
    if not (number.isdecimal() and len(number) < 19):
        raise ValueError(cursor)
    return int(number)


class MessageQuery(serializers.Serializer[Any]):
    """Which messages, the newest first."""

    state = StrictCharField(
        max_length=200,
        required=False,
        help_text=f"One, or several separated by commas: {', '.join(Message.State.values)}.",
    )
    direction = serializers.ChoiceField(
        Message.Direction.values,
        required=False,
        help_text="`out`: sent from here; `in`: received; `elsewhere`: written on another device.",
    )
    contact = RecipientField(
        required=False, help_text="The other person: a phone number in any spelling, or `…@lid`."
    )
    since = serializers.DateTimeField(required=False, help_text="Stored from then on.")
    until = serializers.DateTimeField(required=False, help_text="Stored before then.")
    pageSize = serializers.IntegerField(min_value=1, max_value=200, default=50)
    cursor = serializers.CharField(
        max_length=40, required=False, help_text="Part of `next` in an earlier answer."
    )

    def validate_state(self, value: str) -> list[str]:
        states = [state.strip() for state in value.split(",")]
        for state in states:
            if state not in Message.State.values:
                text = gettext(UNKNOWN_STATE).format(state=state[:40])
                raise serializers.ValidationError(text)
        return states

    def validate_cursor(self, value: str) -> int:
        try:
            return parse_cursor(value)
        except ValueError as error:
            raise serializers.ValidationError(gettext(BAD_CURSOR)) from error


class FeedQuery(serializers.Serializer[Any]):
    """Which events of the log, and how long to wait for one."""

    after = serializers.IntegerField(
        min_value=0,
        max_value=MAX_SEQUENCE,
        default=0,
        help_text="`next` of the answer before; 0 begins with the oldest event that is kept.",
    )
    wait = serializers.FloatField(
        min_value=0, max_value=25, default=0, help_text="Seconds to wait if there is no event yet."
    )
    types = StrictCharField(
        max_length=400,
        required=False,
        help_text=f"Only these, separated by commas: {', '.join(EventType.values)}.",
    )
    limit = serializers.IntegerField(min_value=1, max_value=500, default=100)

    def validate_types(self, value: str) -> list[str]:
        types = [name.strip() for name in value.split(",")]
        for name in types:
            if name not in EventType.values:
                raise serializers.ValidationError(gettext(UNKNOWN_EVENT).format(type=name[:40]))
        return types


class UploadSerializer(serializers.Serializer[Any]):
    """A file, as a part of a multipart form."""

    file = serializers.FileField(
        max_length=FILENAME_LENGTH,
        allow_empty_file=False,
        help_text="Its content must be what the part's Content-Type says.",
    )


class ReadSerializer(serializers.Serializer[Any]):
    """The body of a read mark, which may be left out."""

    played = StrictBooleanField(
        default=False, help_text="Whether a voice message was also listened to."
    )


class EraseContactSerializer(serializers.Serializer[Any]):
    """The body that erases a person."""

    contact = RecipientField(
        help_text="A phone number in any spelling, or `…@lid`: somebody who was written to, or who "
        "has written, before."
    )


class TypingSerializer(serializers.Serializer[Any]):
    """The body that shows typing."""

    to = RecipientField(help_text="Somebody who was written to, or who has written, before.")
    typing = StrictBooleanField(default=True)
