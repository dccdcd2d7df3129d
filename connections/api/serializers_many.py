"""The bodies and the answers of requests about owners' links and about many organizations."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from connections.actions import MAX_LIFETIME
from organizations.api.schema import LargeIntegerField, TrueField

MAX_ORGANIZATIONS = 100
MIN_LINK_SECONDS, MAX_LINK_SECONDS = 60, int(MAX_LIFETIME.total_seconds())
MAX_ID = 2**63 - 1
REFUSED = [
    *("already_connected", "organization_inactive", "temporarily_banned", "too_many_requests"),
    *("permission_denied", "not_found"),
]


class OwnerLinkBodySerializer(serializers.Serializer[Any]):
    """The body of `POST owner-link`, which may be left out."""

    expiresIn = serializers.IntegerField(
        min_value=MIN_LINK_SECONDS,
        max_value=MAX_LINK_SECONDS,
        required=False,
        help_text="Seconds until it expires, unless it is in use then. OWNER_LINK_SECONDS if left "
        "out, which is 15 minutes unless the operator says otherwise.",
    )


class ManySerializer(serializers.Serializer[Any]):
    """A request about many organizations."""

    organizations = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=MAX_ID),
        min_length=1,
        max_length=MAX_ORGANIZATIONS,
        help_text="Their ids.",
    )


class ManyLinksSerializer(ManySerializer, OwnerLinkBodySerializer):
    """The body of `POST owner-links`."""


class OwnerLinkSerializer(serializers.Serializer[Any]):
    """A new link. Its `url` is a secret, and never shown again."""

    success = TrueField()
    url = serializers.URLField()
    expiresAt = serializers.DateTimeField()


class OutcomeSerializer(serializers.Serializer[Any]):
    """What came of a request for one organization."""

    organization = LargeIntegerField()
    message = serializers.CharField(allow_blank=True)
    retryAfter = serializers.IntegerField(required=False, help_text="Seconds.")


class ReconnectOutcomeSerializer(OutcomeSerializer):
    """`needs_phone`: nothing saved can be used."""

    outcome = serializers.ChoiceField(
        ["requested", "connecting", "disconnecting", "needs_phone", *REFUSED]
    )


class LinkOutcomeSerializer(OutcomeSerializer):
    """`url` and `expiresAt` are there with `made` only."""

    outcome = serializers.ChoiceField(["made", *REFUSED])
    url = serializers.URLField(required=False)
    expiresAt = serializers.DateTimeField(required=False)


class ReconnectOutcomesSerializer(serializers.Serializer[Any]):
    """An outcome for each, in the order of the request."""

    success = TrueField()
    results = ReconnectOutcomeSerializer(many=True)


class LinkOutcomesSerializer(serializers.Serializer[Any]):
    """An outcome for each, in the order of the request."""

    success = TrueField()
    results = LinkOutcomeSerializer(many=True)
