"""An organization's proxy as the REST API takes and shows it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from connections.lifecycle import Reason
from connections.models import OrganizationProxy
from connections.models.proxies import HOST_LENGTH, LOGIN_LENGTH, NAME_LENGTH
from organizations.api.schema import TrueField
from organizations.api.serializers import StrictCharField

PROBLEMS = [
    Reason.PROXY_UNREACHABLE.value,
    Reason.PROXY_REFUSED.value,
    Reason.PROXY_UNTRUSTED.value,
]
KEPT = (
    "Left out: what is stored is kept, while kind, host and port stay the same; with another one "
    "of them it is deleted. It is never shown again."
)


class ProxyBody(serializers.Serializer[Any]):
    """The body that sets a proxy."""

    name = StrictCharField(max_length=NAME_LENGTH, help_text="What operators see of it.")
    kind = serializers.ChoiceField(OrganizationProxy.Scheme.choices)
    host = StrictCharField(
        max_length=HOST_LENGTH, help_text="A name or an IP address on the public internet."
    )
    port = serializers.IntegerField(min_value=1, max_value=65535)
    username = StrictCharField(
        max_length=LOGIN_LENGTH,
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        write_only=True,
        help_text=f"{KEPT} Empty: none.",
    )
    password = StrictCharField(
        max_length=LOGIN_LENGTH,
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        write_only=True,
        help_text="It goes with `username`. It is never shown again.",
    )


class LastTrySerializer(serializers.Serializer[Any]):
    """What came of the last try."""

    at = serializers.DateTimeField()
    milliseconds = serializers.IntegerField(allow_null=True, help_text="Until WhatsApp answered.")
    problem = serializers.ChoiceField(PROBLEMS, allow_null=True)
    sentence = serializers.CharField()


class ShownProxySerializer(serializers.Serializer[Any]):
    """A proxy. Where it is, only owners and administrators see."""

    name = serializers.CharField()
    kind = serializers.ChoiceField(OrganizationProxy.Scheme.choices, allow_null=True)
    host = serializers.CharField(allow_null=True)
    port = serializers.IntegerField(allow_null=True)
    hasLogin = serializers.BooleanField(allow_null=True)
    changedAt = serializers.DateTimeField()
    lastTry = LastTrySerializer(allow_null=True)


class ProxySerializer(serializers.Serializer[Any]):
    """The answer about a proxy."""

    success = TrueField()
    proxy = ShownProxySerializer(allow_null=True)


class TriedSerializer(serializers.Serializer[Any]):
    """The answer to a try that got to WhatsApp."""

    success = TrueField()
    milliseconds = serializers.IntegerField()
    message = serializers.CharField()
