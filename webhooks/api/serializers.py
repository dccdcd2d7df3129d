"""Requests about webhooks: the bodies and the query parameters."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from rest_framework import serializers

from events.models import EventType
from messaging.api.serializers import BAD_CURSOR, MAX_SEQUENCE, parse_cursor
from organizations.api.serializers import StrictCharField
from webhooks.formats import FORMATS
from webhooks.models import Delivery

URL_LENGTH = 2048
URL_HELP = (
    "Where events are sent: https, port 443 or 8443, a public address. Its path and query are "
    "told to owners only."
)
TYPES_HELP = "The types of events that are sent; left out or empty: all."
NO_VERIFY_TOKEN = _("This format has none.")
ONE_START = _("Give either fromSequence or fromTime.")
NAME_ONE = _("Name the organization that the sequence belongs to.")


class TypesField(serializers.ListField):
    """Types of events."""

    def __init__(self, **options: Any) -> None:
        child = serializers.ChoiceField(EventType.values)
        super().__init__(child=child, max_length=len(EventType), help_text=TYPES_HELP, **options)


class NewWebhook(serializers.Serializer[Any]):
    """The body that makes a webhook."""

    url = StrictCharField(max_length=URL_LENGTH, help_text=URL_HELP)
    types = TypesField(required=False)
    format = serializers.ChoiceField(
        list(FORMATS),
        default="standard",
        help_text="`standard`: Standard Webhooks; `cloud`: as Meta's Cloud API sends them.",
    )
    fromSequence = serializers.IntegerField(
        min_value=1,
        max_value=MAX_SEQUENCE,
        required=False,
        help_text="The first event of the log to send; 1: the whole log. Left out: only what "
        "happens from now on.",
    )
    verifyToken = StrictCharField(
        max_length=128,
        required=False,
        help_text="Of the format `cloud`: what the address is asked for at once. Left out, one is "
        "made up, and the webhook begins paused: it is asked when you enable it.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "verifyToken" in attrs and not FORMATS[attrs["format"]].has_verify_token:
            raise serializers.ValidationError({"verifyToken": [gettext(NO_VERIFY_TOKEN)]})
        return attrs


class WebhookChange(serializers.Serializer[Any]):
    """The body that changes a webhook."""

    url = StrictCharField(max_length=URL_LENGTH, required=False, help_text=URL_HELP)
    types = TypesField(required=False)
    state = serializers.ChoiceField(
        ["paused"], required=False, help_text="Send nothing more until it is enabled again."
    )


class ReplayBody(serializers.Serializer[Any]):
    """The body that sends a part of the log again."""

    fromSequence = serializers.IntegerField(min_value=1, max_value=MAX_SEQUENCE, required=False)
    fromTime = serializers.DateTimeField(
        required=False, help_text="From the first event of that time on."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("fromSequence" in attrs) == ("fromTime" in attrs):
            raise serializers.ValidationError(gettext(ONE_START))
        return attrs


class ReplayEverywhereBody(ReplayBody):
    """The body that sends parts of several logs again."""

    organization = serializers.IntegerField(
        min_value=1,
        max_value=MAX_SEQUENCE,
        required=False,
        help_text="Only of this one. A sequence needs it; by time it is all of them without it.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if "fromSequence" in attrs and "organization" not in attrs:
            raise serializers.ValidationError({"organization": [gettext(NAME_ONE)]})
        return attrs


class DeliveryQuery(serializers.Serializer[Any]):
    """Which deliveries, the newest first."""

    state = serializers.ChoiceField(Delivery.State.values, required=False)
    pageSize = serializers.IntegerField(min_value=1, max_value=200, default=50)
    cursor = serializers.CharField(
        max_length=40, required=False, help_text="Part of `next` in an earlier answer."
    )

    def validate_cursor(self, value: str) -> int:
        try:
            return parse_cursor(value)
        except ValueError as error:
            raise serializers.ValidationError(gettext(BAD_CURSOR)) from error
