"""Removals as the REST API tells and takes them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from organizations.api.schema import LargeIntegerField
from organizations.api.serializers import NAME_LENGTH, StrictBooleanField, StrictCharField
from organizations.audit import MAX_REASON, MIN_REASON
from organizations.audit_labels import CONTENT_LABELS
from removal.models import Removal
from removal.refusals import WRONG_NAME, HistoryTooShort
from removal.retention import LONGEST_DAYS, LONGEST_DELIVERY_DAYS, check_history_days
from removal.status import Stage

WAIT_HELP = (
    "Whether nothing is deleted until WhatsApp has confirmed the logout. Without it the logout is "
    "tried once; unconfirmed, the phone lists the device until it drops it by itself."
)


class CountsSerializer(serializers.Serializer[Any]):
    """How many there are of each kind."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {name: serializers.IntegerField(min_value=0) for name in CONTENT_LABELS}


class ContentsSerializer(serializers.Serializer[Any]):
    """What a removal would delete."""

    counts = CountsSerializer()
    mediaBytes = LargeIntegerField(min_value=0, help_text="The size of all media files.")
    isLinked = serializers.BooleanField(help_text="Whether a phone is linked.")


class RemovalSerializer(serializers.Serializer[Any]):
    """A removal, and how far it has come."""

    organization = LargeIntegerField(help_text="The id that the organization had.")
    name = serializers.CharField()
    state = serializers.ChoiceField([str(stage) for stage in Stage])
    problem = serializers.CharField(
        allow_null=True, help_text="What keeps it from going on, for people; it is tried again."
    )
    logout = serializers.ChoiceField(Removal.Logout.values)
    waitForLogout = serializers.BooleanField()
    requestedAt = serializers.DateTimeField()
    requestedBy = serializers.CharField()
    finishedAt = serializers.DateTimeField(allow_null=True)
    deleted = CountsSerializer(help_text="So far.")
    mediaBytesDeleted = LargeIntegerField(min_value=0)


class StartRemovalBody(serializers.Serializer[Any]):
    """The body that starts a removal. The name confirms it."""

    name = StrictCharField(
        max_length=NAME_LENGTH, help_text="The name of the organization: there is no way back."
    )
    waitForLogout = StrictBooleanField(default=True, help_text=WAIT_HELP)

    def validate_name(self, name: str) -> str:
        if name != self.context["organization"].name.strip():
            raise serializers.ValidationError(WRONG_NAME)
        return name


class DaysSerializer(serializers.Serializer[Any]):
    """The days that things are kept."""

    messageDays = serializers.IntegerField(
        source="retention_days",
        min_value=0,
        max_value=LONGEST_DAYS,
        help_text="Messages, their events in the feed, and people of whom nothing else is known. "
        "0: for ever.",
    )
    mediaDays = serializers.IntegerField(
        source="media_days",
        min_value=0,
        max_value=LONGEST_DAYS,
        allow_null=True,
        help_text="The content of media files. 0: as long as their messages. "
        "null: as in the installation.",
    )
    deliveryDays = serializers.IntegerField(
        source="delivery_days",
        min_value=1,
        max_value=LONGEST_DELIVERY_DAYS,
        allow_null=True,
        help_text="Deliveries of webhooks, after their end. null: as in the installation.",
    )
    historyDays = serializers.IntegerField(
        source="history_days",
        min_value=0,
        max_value=LONGEST_DAYS,
        allow_null=True,
        help_text="The history of the connection, at least 30. 0: for ever. "
        "null: as in the installation.",
    )

    def validate_historyDays(self, days: int | None) -> int | None:
        try:
            check_history_days(days)
        except HistoryTooShort as refused:
            raise serializers.ValidationError(str(refused)) from refused
        return days


class EffectiveDaysSerializer(serializers.Serializer[Any]):
    """The days that follow, 0 for ever."""

    messageDays = serializers.IntegerField(source="messages", min_value=0)
    mediaDays = serializers.IntegerField(source="media", min_value=0)
    deliveryDays = serializers.IntegerField(source="deliveries", min_value=1)
    historyDays = serializers.IntegerField(source="history", min_value=0)


class RetentionSerializer(DaysSerializer):
    """What an organization has decided, and what follows from it."""

    inEffect = EffectiveDaysSerializer(help_text="With the days of the installation.")


class RetentionBody(DaysSerializer):
    """The body that changes the days."""

    deleteOlder = StrictBooleanField(
        required=False,
        help_text="Confirms that what is older than the new days is deleted for good.",
    )


class ArchiveBody(serializers.Serializer[Any]):
    """The body that asks for all data."""

    reason = StrictCharField(
        min_length=MIN_REASON,
        max_length=MAX_REASON,
        required=False,
        help_text="Why an administrator of the service reads it, who has to say so. The audit "
        "keeps it.",
    )


class DecideLogoutBody(serializers.Serializer[Any]):
    """The body that tries the logout again."""

    waitForLogout = StrictBooleanField(help_text=WAIT_HELP)
