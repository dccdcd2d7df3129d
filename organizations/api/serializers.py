"""Organizations, members and tokens as the REST API tells and takes them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.fields import empty

from organizations.access import Role
from organizations.api.schema import LargeIntegerField
from organizations.api.views import Pagination
from organizations.models import ApiToken, Invitation, Membership, Organization
from organizations.names import validate_name, validate_username
from organizations.phone_numbers import e164, parse_phone_number

NAME_LENGTH = 200
NAME_HELP = "One line, without control characters and marks that change the writing direction."
NUMBER_LENGTH = 32
NUMBER_HELP = (
    "An international number with `+`, `00` or nothing before it, in the spelling that people use "
    "or in WhatsApp's: `+5511987654321`, `+55 (11) 98765-4321`, `0052 55 1234 5678`, or "
    "`5215512345678` as `number` in the status says it. Spaces, dashes, dots, slashes and "
    "parentheses are skipped; letters and extensions are refused."
)
MAX_TOKEN_LIFETIME = timedelta(days=3660)


class StrictCharField(serializers.CharField):
    """A string of JSON: 7 is none."""

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class UsernameField(StrictCharField):
    """A username, normalized as at the login and in the form for users."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=150, **options)

    def to_internal_value(self, data: object) -> str:
        return User.normalize_username(super().to_internal_value(data))


class PhoneNumberField(StrictCharField):
    """A phone number of JSON. Validated, it is the digits, in the spelling that was given.

    The numbers of the context's `organization` are accepted as the API tells them. null is "".
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=NUMBER_LENGTH, **options)

    def run_validation(self, data: object = empty) -> str:
        text = super().run_validation(data)
        if text is None:
            return ""
        organization: Organization | None = self.context.get("organization")
        try:
            return parse_phone_number(text, *(organization.known_numbers if organization else ()))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


class StrictBooleanField(serializers.BooleanField):
    """true or false of JSON: 0 and "no" are neither."""

    def to_internal_value(self, data: object) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class PageQuery(serializers.Serializer[Any]):
    """Which page of a list."""

    page = serializers.IntegerField(min_value=1, required=False, help_text="From 1 on.")
    pageSize = serializers.IntegerField(
        min_value=1, max_value=Pagination.max_page_size, required=False, help_text="Rows on a page."
    )


class PageSerializer(serializers.Serializer[Any]):
    """A page of a list. Who inherits it adds `results`."""

    count = serializers.IntegerField(min_value=0, help_text="Rows on all pages.")
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


# --- Organizations ------------------------------------------------------------------------------


class OrganizationSerializer(serializers.ModelSerializer[Organization]):
    """An organization, and what its reader may do there (`roles` in the context)."""

    id = LargeIntegerField(read_only=True)
    expectedNumber = serializers.SerializerMethodField(
        help_text="The number whose phone may be linked: + and digits, spelled as it was given; "
        "null: any."
    )
    operatorsReadMessages = serializers.BooleanField(
        source="operators_read_messages", help_text="Whether operators read and write messages."
    )
    createdAt = serializers.DateTimeField(source="created_at")
    isActive = serializers.BooleanField(source="is_active")
    role = serializers.SerializerMethodField()

    class Meta:
        model = Organization
        fields = [
            "id",
            "name",
            "expectedNumber",
            "operatorsReadMessages",
            "createdAt",
            "isActive",
            "role",
        ]
        read_only_fields = fields

    def get_expectedNumber(self, organization: Organization) -> str | None:
        return e164(organization.expected_number)

    def get_role(self, organization: Organization) -> Role:
        return Role(self.context["roles"][organization.pk])


class NewOrganization(serializers.Serializer[Any]):
    """The body that makes an organization. Validated, `expectedNumber` is the digits."""

    name = StrictCharField(max_length=NAME_LENGTH, validators=[validate_name], help_text=NAME_HELP)
    expectedNumber = PhoneNumberField(
        required=False,
        allow_null=True,
        help_text=f"No other phone may be linked; null: any may. {NUMBER_HELP}",
    )


class OrganizationChange(NewOrganization):
    """The body that changes an organization."""

    operatorsReadMessages = StrictBooleanField(
        required=False, help_text="Whether operators read and write messages, as owners do."
    )

    isActive = StrictBooleanField(
        required=False, help_text="Only an administrator of the service changes it."
    )


# --- Members ------------------------------------------------------------------------------------


class MemberSerializer(serializers.ModelSerializer[Membership]):
    """A user's place in an organization. `id` is the user's."""

    id = LargeIntegerField(source="user_id")
    username = serializers.CharField(source="user.username")

    class Meta:
        model = Membership
        fields = ["id", "username", "role"]
        read_only_fields = fields


class MemberPage(PageSerializer):
    """Members."""

    results = MemberSerializer(many=True)


class RoleChange(serializers.Serializer[Any]):
    """The body that gives a member another role."""

    role = serializers.ChoiceField(Role.choices)


class NewMember(RoleChange):
    """The body that invites or adds a user, or gives a member another role."""

    username = UsernameField()

    def validate_username(self, value: str) -> str:
        validate_username(value)
        return value


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    """An invitation, as those see it who manage the organization."""

    invitedBy = serializers.CharField(source="invited_by.username")
    invitedAt = serializers.DateTimeField(source="created_at")
    expiresAt = serializers.DateTimeField(source="expires_at")

    class Meta:
        model = Invitation
        fields = ["id", "username", "role", "invitedBy", "invitedAt", "expiresAt"]
        read_only_fields = fields


class InvitationPage(PageSerializer):
    """Invitations of an organization."""

    results = InvitationSerializer(many=True)


class ReceivedInvitationSerializer(InvitationSerializer):
    """An invitation, as the invited user sees it."""

    organization = serializers.CharField(source="organization.name", help_text="Its name.")

    class Meta(InvitationSerializer.Meta):
        fields = ["id", "organization", "role", "invitedBy", "invitedAt", "expiresAt"]
        read_only_fields = fields


class ReceivedInvitationPage(PageSerializer):
    """Invitations that a user has received."""

    results = ReceivedInvitationSerializer(many=True)


class LostRightQuery(serializers.Serializer[Any]):
    """What becomes of tokens when a member loses a right."""

    revokeTokens = serializers.BooleanField(
        default=True,
        help_text="Whether the organization's tokens that the member made are revoked, if the "
        "member manages it no more.",
    )


# --- Tokens -------------------------------------------------------------------------------------


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token without its secret."""

    id = serializers.UUIDField(source="number")
    messageScopes = serializers.ListField(
        source="message_scopes",
        child=serializers.ChoiceField(ApiToken.MessageScope.values),
        help_text="What it may do with messages, apart from `scope`.",
    )
    prefix = serializers.CharField(source="token_key", help_text="What its text begins with.")
    createdAt = serializers.DateTimeField(source="created")
    expiresAt = serializers.DateTimeField(source="expiry", allow_null=True)
    lastUsedAt = serializers.DateTimeField(source="last_used_at", allow_null=True)
    revokedAt = serializers.DateTimeField(source="revoked_at", allow_null=True)
    createdBy = serializers.CharField(source="user.username")

    class Meta:
        model = ApiToken
        fields = [
            "id",
            "name",
            "prefix",
            "kind",
            "scope",
            "messageScopes",
            "createdAt",
            "expiresAt",
            "lastUsedAt",
            "revokedAt",
            "createdBy",
        ]
        read_only_fields = fields


class TokenPage(PageSerializer):
    """Tokens."""

    results = TokenSerializer(many=True)


class TokenWithText(TokenSerializer):
    """A new token with its text, which is told this once."""

    token = serializers.SerializerMethodField(help_text="The secret. It is told only now.")

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]
        read_only_fields = fields

    def get_token(self, token: ApiToken) -> str:
        return str(self.context["text"])


class NewToken(serializers.Serializer[Any]):
    """The body that makes a token."""

    name = StrictCharField(
        max_length=100, validators=[validate_name], help_text=f"What will use it. {NAME_HELP}"
    )
    kind = serializers.ChoiceField(
        ApiToken.Kind.choices,
        default=ApiToken.Kind.REST,
        help_text="`graph`: for the addresses under `/graph/`, which software that was written for "
        "Meta's Cloud API calls. It opens nothing under `/api/`, has `scope` `read`, and needs an "
        "organization, `messageScopes` and `expiresAt`.",
    )
    scope = serializers.ChoiceField(
        ApiToken.Scope.choices,
        default=ApiToken.Scope.READ,
        help_text="`read`: sees states and history; `manage`: may also change what its user, or an "
        "operator of its organization, may change.",
    )
    messageScopes = serializers.ListField(
        child=serializers.ChoiceField(ApiToken.MessageScope.values),
        default=list,
        max_length=len(ApiToken.MessageScope),
        help_text="What it may do with messages: nothing unless it is named here. Nobody gives a "
        "token a right that they do not have themselves.",
    )
    expiresAt = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text=f"Without it: in {ApiToken.DEFAULT_LIFETIME.days} days, or with the token that "
        "makes it, if that ends earlier. null: never.",
    )

    def validate_expiresAt(self, value: datetime | None) -> datetime | None:
        now = timezone.now()
        if value is not None and not now < value < now + MAX_TOKEN_LIFETIME:
            raise serializers.ValidationError(_("In the future, and within ten years."))
        return value
