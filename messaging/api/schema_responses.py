"""Serializers of the responses about messages, for the OpenAPI document and its tests."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from events.models import EventType
from messaging.api.content import CONTENT
from messaging.api.serializers import ON_UNKNOWN
from messaging.models import Media, Message
from messaging.reasons import SENTENCES
from organizations.api.schema import LargeIntegerField, TrueField

MESSAGE_STATES = [str(state) for state in Message.State]
DIRECTIONS = [str(direction) for direction in Message.Direction]
EVENT_TYPES = [str(kind) for kind in EventType]
MEDIA_STATES = [str(state) for state in Media.State]
REASONS = sorted(reason for reason in SENTENCES if reason)


class PersonSerializer(serializers.Serializer[Any]):
    """The other person. Who may not read messages sees the last digits of who wrote first."""

    phone = serializers.CharField(allow_null=True, help_text="+ and digits.")
    lid = serializers.CharField(allow_null=True, help_text="WhatsApp's hidden identity, digits.")
    waId = serializers.CharField(
        allow_null=True, help_text="The number in WhatsApp's own spelling, once it is known."
    )
    name = serializers.CharField(allow_null=True, help_text="As the person calls themself.")


class MediaSerializer(serializers.Serializer[Any]):
    """A file."""

    id = serializers.CharField()
    state = serializers.ChoiceField(MEDIA_STATES)
    reason = serializers.CharField(allow_null=True)
    mimeType = serializers.CharField(allow_null=True, help_text="By its content.")
    size = LargeIntegerField(help_text="Bytes.")
    sha256 = serializers.CharField(allow_null=True)
    filename = serializers.CharField(allow_null=True)
    createdAt = serializers.DateTimeField()


class MessageStateSerializer(serializers.Serializer[Any]):
    """What became of a message."""

    id = serializers.CharField()
    direction = serializers.ChoiceField(DIRECTIONS)
    type = serializers.CharField(help_text=f"{', '.join(CONTENT)}; received ones also others.")
    state = serializers.ChoiceField(MESSAGE_STATES)
    reason = serializers.ChoiceField(REASONS, allow_null=True, help_text="Why, for programs.")
    sentence = serializers.CharField(allow_null=True, help_text="Why, for people.")
    waId = serializers.CharField(
        allow_null=True, help_text="The recipient in WhatsApp's own spelling, once it is known."
    )
    whatsappId = serializers.CharField(allow_null=True)
    callbackData = serializers.CharField(
        allow_null=True, help_text="What its sender wants back with it."
    )
    resends = serializers.CharField(
        allow_null=True, help_text="The id of the message that it sends once more."
    )
    onUnknown = serializers.ChoiceField(ON_UNKNOWN, allow_null=True)
    createdAt = serializers.DateTimeField(help_text="When it was stored here.")
    at = serializers.DateTimeField(help_text="When it was written, by WhatsApp's clock.")
    expiresAt = serializers.DateTimeField(allow_null=True)
    sendingAt = serializers.DateTimeField(allow_null=True)
    sentAt = serializers.DateTimeField(allow_null=True)
    deliveredAt = serializers.DateTimeField(allow_null=True)
    readAt = serializers.DateTimeField(allow_null=True)
    playedAt = serializers.DateTimeField(allow_null=True)
    endedAt = serializers.DateTimeField(
        allow_null=True, help_text="When it failed, expired, was cancelled or became unknown."
    )
    contact = PersonSerializer()


class LimitsSerializer(serializers.Serializer[Any]):
    """What the organization may send; null is no limit."""

    perMinute = serializers.IntegerField(allow_null=True)
    newRecipientsPerDay = serializers.IntegerField(
        allow_null=True, help_text="People never written to or heard from."
    )
    newRecipientsToday = serializers.IntegerField(help_text="Within the last 24 hours.")
    waiting = serializers.IntegerField(help_text="Messages that wait for their turn.")
    repliesOnlyUntil = serializers.DateTimeField(
        allow_null=True, help_text="Until then WhatsApp only lets this number answer."
    )


class AcceptedSerializer(MessageStateSerializer):
    """A message that waits to be sent."""

    success = TrueField()
    limits = LimitsSerializer(
        allow_null=True,
        help_text="null, as `reason` then, when the database failed after the message was stored.",
    )


class MessageSerializer(MessageStateSerializer):
    """A message. What it says is there only for those who may read messages."""

    group = serializers.CharField(required=False, allow_null=True)
    context = serializers.DictField(  # type: ignore[assignment]
        required=False, allow_null=True, help_text="The message that it answers."
    )
    media = MediaSerializer(required=False, allow_null=True)
    text = serializers.DictField(
        required=False, help_text="And so for each `type`: an object of that name."
    )


class OneMessageSerializer(MessageSerializer):
    """A message."""

    success = TrueField()


class CancelledSerializer(MessageStateSerializer):
    """A message that will not be sent."""

    success = TrueField()


class MessagePage(serializers.Serializer[Any]):
    """Messages, the newest first."""

    next = serializers.URLField(allow_null=True)
    results = MessageSerializer(many=True)


class CountSerializer(serializers.Serializer[Any]):
    """How many messages that concerned."""

    success = TrueField()
    count = serializers.IntegerField(min_value=0)


class LogEventSerializer(serializers.Serializer[Any]):
    """An event of the log."""

    sequence = LargeIntegerField(help_text="Counts up by one for each organization.")
    type = serializers.ChoiceField(EVENT_TYPES)
    at = serializers.DateTimeField()
    data = serializers.DictField()  # type: ignore[assignment]


class FeedSerializer(serializers.Serializer[Any]):
    """Events, and the cursor behind them."""

    events = LogEventSerializer(many=True)
    next = LargeIntegerField(help_text="What to ask for next, as `after`.")


class StoredMediaSerializer(MediaSerializer):
    """A file, and where to fetch it."""

    success = TrueField()
    url = serializers.URLField(allow_null=True, help_text="Valid for five minutes.")


class SuccessSerializer(serializers.Serializer[Any]):
    """It is done."""

    success = TrueField()
