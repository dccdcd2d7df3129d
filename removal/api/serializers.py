"""Removals as the REST API tells and takes them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from organizations.api.serializers import NAME_LENGTH, StrictBooleanField, StrictCharField
from organizations.audit_labels import CONTENT_LABELS
from removal.models import Removal
from removal.refusals import WRONG_NAME
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
    mediaBytes = serializers.IntegerField(min_value=0, help_text="The size of all media files.")
    isLinked = serializers.BooleanField(help_text="Whether a phone is linked.")


class RemovalSerializer(serializers.Serializer[Any]):
    """A removal, and how far it has come."""

    organization = serializers.IntegerField(help_text="The id that the organization had.")
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
    mediaBytesDeleted = serializers.IntegerField(min_value=0)


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


class DecideLogoutBody(serializers.Serializer[Any]):
    """The body that tries the logout again."""

    waitForLogout = StrictBooleanField(help_text=WAIT_HELP)
