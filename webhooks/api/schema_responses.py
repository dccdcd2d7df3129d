"""Serializers of the responses about webhooks, for the OpenAPI document and its tests."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from events.models import EventType
from messaging.api.schema_responses import LogEventSerializer
from organizations.api.schema import LargeIntegerField, TrueField
from outbound.errors import Kind
from webhooks.formats import FORMATS, TEST_TYPE
from webhooks.models import Cursor, Delivery, Endpoint
from webhooks.outcomes import Failure

WEBHOOK_STATES = [str(state) for state in Endpoint.State]
WEBHOOK_REASONS = [str(reason) for reason in Endpoint.Reason]
DELIVERY_STATES = [str(state) for state in Delivery.State]
DELIVERY_KINDS = [str(kind) for kind in Cursor.Kind]
FAILURES = sorted({*map(str, Kind), *map(str, Failure)})


class WaitingSerializer(serializers.Serializer[Any]):
    """What waits, and why."""

    events = serializers.IntegerField(min_value=0)
    nextAt = serializers.DateTimeField(allow_null=True, help_text="When it is tried again.")
    sentence = serializers.CharField(help_text="For people.")


class WebhookSerializer(serializers.Serializer[Any]):
    """A webhook."""

    id = serializers.CharField()
    organization = LargeIntegerField(
        allow_null=True, help_text="null: it gets the events of all organizations."
    )
    url = serializers.CharField(
        allow_null=True, help_text="null for those who are no owner: path and query are secret."
    )
    host = serializers.CharField()
    types = serializers.ListField(
        child=serializers.ChoiceField(EventType.values), help_text="Empty: all."
    )
    format = serializers.ChoiceField(list(FORMATS))
    state = serializers.ChoiceField(WEBHOOK_STATES)
    reason = serializers.ChoiceField(
        WEBHOOK_REASONS, allow_null=True, help_text="Why nothing is sent, for programs."
    )
    sentence = serializers.CharField(allow_null=True, help_text="Why, for people.")
    stateSince = serializers.DateTimeField()
    createdAt = serializers.DateTimeField()
    madeBy = serializers.CharField(help_text="Who made it, or enabled it last.")
    lastSuccessAt = serializers.DateTimeField(allow_null=True)
    failingSince = serializers.DateTimeField(allow_null=True)
    oldSecretUntil = serializers.DateTimeField(
        allow_null=True, help_text="Until then the secret before signs, too."
    )
    waiting = WaitingSerializer()


class OneWebhookSerializer(WebhookSerializer):
    """A webhook."""

    success = TrueField()


class CreatedWebhookSerializer(OneWebhookSerializer):
    """A new webhook, with what is told only now."""

    secret = serializers.CharField(help_text="It signs what is sent.")
    verifyToken = serializers.CharField(allow_null=True, help_text="Of the format `cloud`.")


class RotatedWebhookSerializer(OneWebhookSerializer):
    """A webhook with a new secret, which is told only now."""

    secret = serializers.CharField()


class WebhookList(serializers.Serializer[Any]):
    """Webhooks, the oldest first."""

    results = WebhookSerializer(many=True)


class ResultSerializer(serializers.Serializer[Any]):
    """What came of an attempt."""

    status = serializers.IntegerField(allow_null=True, help_text="HTTP; null: no answer.")
    failure = serializers.ChoiceField(FAILURES, allow_null=True, help_text="null: it was taken.")
    sentence = serializers.CharField(allow_null=True, help_text="Why it failed, for people.")
    milliseconds = serializers.IntegerField(allow_null=True)


class DeliverySerializer(ResultSerializer):
    """An event on its way to an address, with the result of the last attempt."""

    id = serializers.CharField()
    webhookId = serializers.CharField(
        help_text="The header `webhook-id`: the same whenever this event is sent there."
    )
    kind = serializers.ChoiceField(DELIVERY_KINDS)
    repeats = serializers.CharField(allow_null=True, help_text="The delivery that it repeats.")
    organization = LargeIntegerField(allow_null=True)
    sequence = LargeIntegerField(allow_null=True, help_text="null for a test.")
    type = serializers.CharField(help_text=f"A type of events, or `{TEST_TYPE}`.")
    eventAt = serializers.DateTimeField()
    state = serializers.ChoiceField(DELIVERY_STATES)
    tries = serializers.IntegerField()
    nextAt = serializers.DateTimeField(allow_null=True)
    createdAt = serializers.DateTimeField()
    endedAt = serializers.DateTimeField(allow_null=True)


class OneDeliverySerializer(DeliverySerializer):
    """A delivery."""

    success = TrueField()


class DeliveryPage(serializers.Serializer[Any]):
    """Deliveries, the newest first."""

    next = serializers.URLField(allow_null=True)
    results = DeliverySerializer(many=True)


class AttemptSerializer(ResultSerializer):
    """One request."""

    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    answer = serializers.CharField(
        allow_null=True,
        help_text="The first kilobyte; null for those who may not read messages.",
    )


class WholeDeliverySerializer(OneDeliverySerializer):
    """A delivery with its attempts."""

    event = LogEventSerializer(
        allow_null=True,
        help_text="As it is in the log now; null when it was deleted, and for those who may not "
        "read messages.",
    )
    attempts = AttemptSerializer(many=True)


class ReplaySerializer(serializers.Serializer[Any]):
    """A part of a log that is sent again, both ends included."""

    organization = LargeIntegerField()
    fromSequence = LargeIntegerField()
    toSequence = LargeIntegerField()
    events = serializers.IntegerField()


class ReplaysSerializer(serializers.Serializer[Any]):
    """What is sent again."""

    success = TrueField()
    events = serializers.IntegerField()
    replays = ReplaySerializer(many=True)
