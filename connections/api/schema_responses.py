"""Serializers of the responses about a connection, for the OpenAPI document and its tests.

The old service's clients rely on them, field by field.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from connections.history.entries import AUDIT, CONNECTION, Position, parse_cursor
from connections.lifecycle import Desired, Reason, State
from connections.models import Method, SelfTest
from connections.phone_silence import SilenceLevel
from organizations.api.schema import LargeIntegerField, TrueField

STATES = [str(state) for state in State]
BAD_CURSOR = "It is not one that an earlier answer gave."
REASONS = [str(reason) for reason in Reason]
SILENCE_LEVELS = [str(level) for level in SilenceLevel]
PHONE_SILENCE_HELP = (
    "`warning` from the tenth day without a sign of the phone, `action_needed` from the twelfth, "
    "when somebody has to look after it; null before, and while it is not connected."
)


class DoneSerializer(serializers.Serializer[Any]):
    """It is done."""

    success = TrueField()
    message = serializers.CharField()


class QrCodeSerializer(DoneSerializer):
    """A code to scan."""

    qrCode = serializers.CharField(help_text="A data URL of a PNG picture.")


class EndedAttemptSerializer(serializers.Serializer[Any]):
    """The pairing that the request ended, as it asked for another kind of code."""

    id = LargeIntegerField()
    method = serializers.ChoiceField(Method.values)


class ReconnectSerializer(DoneSerializer):
    """A code to scan, or none when the saved credentials still work."""

    endedAttempt = EndedAttemptSerializer(required=False)

    qrCode = serializers.CharField(allow_null=True, help_text="A data URL of a PNG picture.")


class PairingCodeSerializer(DoneSerializer):
    """A code to type on the phone, or none when the saved credentials still work."""

    pairingCode = serializers.RegexField(r"^[A-Z0-9]{4}-[A-Z0-9]{4}$", allow_null=True)
    expiresIn = serializers.IntegerField(min_value=0, allow_null=True, help_text="Seconds.")
    endedAttempt = EndedAttemptSerializer(required=False)


class BegunSerializer(serializers.Serializer[Any]):
    """It goes on; ask again."""

    message = serializers.CharField()
    retryIn = serializers.IntegerField(help_text="Milliseconds.")


class ReconnectBegunSerializer(BegunSerializer):
    """A code or a resumed login is on its way; ask again."""

    endedAttempt = EndedAttemptSerializer(required=False)


class DisconnectBegunSerializer(BegunSerializer):
    """The clean-up goes on; ask again."""

    success = TrueField()


class StatusSerializer(serializers.Serializer[Any]):
    """What is, why, and what helps."""

    success = TrueField()
    authType = serializers.ChoiceField(["baileys"], help_text="A word of the old service.")
    connectionStatus = serializers.ChoiceField(["connected", "connecting", "disconnected"])
    isConnected = serializers.BooleanField()
    isDisconnected = serializers.BooleanField()
    hasQRCode = serializers.BooleanField()
    canReconnect = serializers.BooleanField()
    state = serializers.ChoiceField(STATES)
    desired = serializers.ChoiceField([str(desired) for desired in Desired])
    reason = serializers.ChoiceField(REASONS)
    detail = serializers.CharField(allow_blank=True)
    sentence = serializers.CharField()
    nextStep = serializers.CharField()
    number = serializers.CharField(allow_null=True, help_text="Digits, with the country's code.")
    since = serializers.DateTimeField()
    retryAt = serializers.DateTimeField(
        allow_null=True, help_text="When it is tried again by itself, if that is known."
    )
    phoneLastSeenAt = serializers.DateTimeField(
        allow_null=True,
        help_text="The last sign of the phone itself; null: none is known. WhatsApp unlinks the "
        "devices of a phone that was off for 14 days.",
    )
    phoneSentence = serializers.CharField(
        allow_null=True, help_text="The same for people; null while it is not connected."
    )
    phoneSilence = serializers.ChoiceField(
        SILENCE_LEVELS, allow_null=True, help_text=PHONE_SILENCE_HELP
    )


class ToldSelfTestSerializer(serializers.Serializer[Any]):
    """What came of a test message."""

    state = serializers.ChoiceField([str(state) for state in SelfTest.State])
    sentence = serializers.CharField()
    at = serializers.DateTimeField()
    by = serializers.CharField(help_text="Who asked for it.")


class SelfTestSerializer(serializers.Serializer[Any]):
    """The newest test message of the number that is linked now."""

    success = TrueField()
    test = ToldSelfTestSerializer(allow_null=True)


class EventQuery(serializers.Serializer[Any]):
    """Which lines of the history."""

    kind = serializers.ChoiceField([CONNECTION, AUDIT], required=False)
    reason = serializers.ChoiceField(REASONS, required=False)
    since = serializers.DateTimeField(required=False, help_text="From then on.")
    until = serializers.DateTimeField(required=False, help_text="Before then.")
    pageSize = serializers.IntegerField(min_value=1, max_value=200, default=50)
    cursor = serializers.CharField(
        max_length=200, required=False, help_text="Part of `next` in an earlier answer."
    )

    def validate_cursor(self, value: str) -> Position:
        try:
            return parse_cursor(value)
        except (ValueError, OverflowError) as error:
            raise serializers.ValidationError(BAD_CURSOR) from error


class EventSerializer(serializers.Serializer[Any]):
    """A line of the history. An "audit" line has no state, reason or attempt."""

    id = serializers.CharField()
    at = serializers.DateTimeField()
    kind = serializers.ChoiceField([CONNECTION, AUDIT])
    event = serializers.CharField()
    state = serializers.ChoiceField(STATES, allow_null=True)
    stateBefore = serializers.ChoiceField(STATES, allow_null=True)
    reason = serializers.ChoiceField(REASONS, allow_null=True)
    sentence = serializers.CharField()
    detail = serializers.CharField(allow_blank=True)
    actor = serializers.CharField(allow_null=True)
    address = serializers.IPAddressField(allow_null=True, help_text="For owners only.")
    attempt = LargeIntegerField(allow_null=True, help_text="The number of the pairing.")


class EventsSerializer(serializers.Serializer[Any]):
    """A page of the history, the newest line first."""

    next = serializers.URLField(allow_null=True, help_text="The address of the page after it.")
    results = EventSerializer(many=True)
