"""Organizations as the REST API tells them, with the state of their connections."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from connections.api.schema_responses import (
    PHONE_SILENCE_HELP,
    REASONS,
    SILENCE_LEVELS,
    STATES,
)
from connections.status import ConnectionStatus
from organizations.api.serializers import (
    NAME_LENGTH,
    OrganizationSerializer,
    PageQuery,
    PageSerializer,
)
from organizations.models import Organization


class SeveralChoices(serializers.CharField):
    """One of the choices, or several separated by commas. Validated, it is a list."""

    def __init__(self, choices: list[str], **options: Any) -> None:
        super().__init__(max_length=500, **options)
        self.choice = serializers.ChoiceField(choices)

    def to_internal_value(self, data: str) -> Any:
        texts = super().to_internal_value(data).split(",")
        return [self.choice.run_validation(text.strip()) for text in texts]


class OrganizationQuery(PageQuery):
    """Which organizations, and in which order."""

    ORDERINGS = {
        "name": ("folded_name", "pk"),
        "-name": ("-folded_name", "-pk"),
        "createdAt": ("created_at", "pk"),
        "-createdAt": ("-created_at", "-pk"),
    }

    active = serializers.BooleanField(required=False, help_text="Active ones, or the others.")
    q = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=NAME_LENGTH,
        help_text="Words of the name, without regard to accents and case; or a part of the linked "
        "or the expected number, in any spelling.",
    )
    state = SeveralChoices(
        STATES,
        required=False,
        help_text=f"One, or several separated by commas: {', '.join(STATES)}.",
    )
    reason = SeveralChoices(
        REASONS, required=False, help_text="One, or several separated by commas: see `reason`."
    )
    phoneSilence = SeveralChoices(
        SILENCE_LEVELS,
        required=False,
        help_text="Those whose phone shows no sign: `warning`, `action_needed`, or both.",
    )
    ordering = serializers.ChoiceField(list(ORDERINGS), default="name")


class ConnectedOrganizationSerializer(OrganizationSerializer):
    """An organization and its connection: `statuses` in the context, by the organization's id."""

    number = serializers.SerializerMethodField(
        help_text="The number of the linked phone: digits, with the country's code; null: none."
    )
    state = serializers.SerializerMethodField()
    reason = serializers.SerializerMethodField()
    since = serializers.SerializerMethodField(help_text="Since when it is in this state.")
    phoneSilence = serializers.SerializerMethodField(help_text=PHONE_SILENCE_HELP)

    class Meta(OrganizationSerializer.Meta):
        fields = [
            *OrganizationSerializer.Meta.fields,
            *("number", "state", "reason", "since", "phoneSilence"),
        ]
        read_only_fields = fields

    def _of(self, organization: Organization) -> ConnectionStatus:
        status: ConnectionStatus = self.context["statuses"][organization.pk]
        return status

    def get_number(self, organization: Organization) -> str | None:
        return self._of(organization).connection.number or None

    @extend_schema_field(serializers.ChoiceField(STATES))
    def get_state(self, organization: Organization) -> str:
        return str(self._of(organization).state)

    @extend_schema_field(serializers.ChoiceField(REASONS))
    def get_reason(self, organization: Organization) -> str:
        return str(self._of(organization).reason)

    @extend_schema_field(serializers.DateTimeField())
    def get_since(self, organization: Organization) -> str:
        return self._of(organization).since.isoformat()

    @extend_schema_field(serializers.ChoiceField(SILENCE_LEVELS, allow_null=True))
    def get_phoneSilence(self, organization: Organization) -> str | None:
        silence = self._of(organization).phone_silence
        return silence.level if silence else None


class OrganizationPage(PageSerializer):
    """Organizations."""

    results = ConnectedOrganizationSerializer(many=True)
