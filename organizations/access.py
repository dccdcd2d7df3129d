"""Access control for tenants: which organizations a caller sees, and what it may do in them.

A person in admin, a token of the API and a page's socket each become a `Caller`. Views, the admin
and consumers reach an organization only through it. An organization that the caller may not see
raises `Organization.DoesNotExist` (404), never "forbidden".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from organizations.models import ACTOR_LENGTH, ApiToken, Membership, Organization

Role = Membership.Role


class Permission(StrEnum):
    """A right in one organization."""

    SEE = "see"  # its status and its history
    OPERATE = "operate"  # reconnect, disconnect, see a QR code
    MANAGE = "manage"  # its name, its expected number, its members, its tokens
    SEND_MESSAGES = "send_messages"  # write to people from its number
    READ_MESSAGES = "read_messages"  # the texts, media and numbers of its messages


PERMISSIONS: dict[str, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.SEE}),
    Role.OPERATOR: frozenset({Permission.SEE, Permission.OPERATE}),
    Role.OWNER: frozenset({Permission.SEE, Permission.OPERATE, Permission.MANAGE}),
}
"""What a role may do, apart from messages: see `Caller._message_permissions`."""

MESSAGE_PERMISSIONS = frozenset({Permission.SEND_MESSAGES, Permission.READ_MESSAGES})

DENIED_MESSAGES = {
    Permission.SEE: _("You may not look at this organization."),
    Permission.OPERATE: _("Your role or token only allows you to look at this organization."),
    Permission.MANAGE: _("Only an owner of this organization may do this."),
    Permission.SEND_MESSAGES: _(
        "You may not send messages of this organization. A token needs the scope messages:send."
    ),
    Permission.READ_MESSAGES: _(
        "You may not read messages of this organization. A token needs the scope messages:read."
    ),
}
SCOPE_NOT_HELD = _("You cannot give a token a right to messages that you do not have yourself.")
SUPERUSER_REQUIRED = _("Only an administrator of the service may do this.")
CREDENTIALS_ENDED = _("This login or token has ended meanwhile, so nothing was changed.")
TOKEN_OWNER_REQUIRED = _("Only a user, or a token of theirs that may manage, may do this.")


@dataclass(frozen=True)
class Actor:
    """A user, a token or both, with a label and the network address of the request.

    `caller` is set for requests: `organizations.actions` checks its rights again under locks.
    Management commands have no caller and may do everything.
    """

    label: str
    user: User | None = None
    token: ApiToken | None = None
    address: str | None = None
    caller: Caller | None = field(default=None, compare=False, repr=False)

    @property
    def columns(self) -> dict[str, Any]:
        """Return the column values for a row that records an actor."""
        return {
            "actor": self.short_label,
            "user": self.user,
            "token": self.token,
            "address": self.address,
        }

    @property
    def short_label(self) -> str:
        """Return the label, cut to the length of the column."""
        return self.label[:ACTOR_LENGTH]


COMMAND_LINE = Actor("command line")


@dataclass(frozen=True)
class Caller:
    """The identity behind a request: a user, with or without a token, or an organization's token.

    A user's token has the rights of its user; with scope "read" only Permission.SEE. An
    organization's own token has no user: it has SEE in that organization alone, and with scope
    "manage" OPERATE too. A token has the rights to messages only by its message scopes.
    `address` is the client's network address.
    """

    user: User | AnonymousUser
    token: ApiToken | None = None
    address: str | None = None

    @property
    def actor(self) -> Actor:
        """Return this caller as audit entries and events store it."""
        user = self.user if isinstance(self.user, User) else None
        name = user.get_username() if user else "anonymous"
        if self.token is None:
            label = name
        elif self.token.organization_id is not None:
            label, user = f"API token {self.token.name}", None
        else:
            label = f"{name} (API token {self.token.name})"
        return Actor(label, user, self.token, self.address, self)

    def reread(self) -> Caller:
        """Return this caller with its user and its token read again.

        Raises PermissionDenied when one of them is gone, inactive, revoked or expired.
        """
        user, token = self.user, self.token
        if token is not None:
            token = ApiToken.objects.select_related("user").filter(pk=token.pk).first()
            if token is None or not token.is_valid:
                raise PermissionDenied(gettext(CREDENTIALS_ENDED))
            if token.organization_id is None and token.user_id == user.pk:
                return Caller(token.user, token, self.address)  # `is_valid` has looked at the user.
        if isinstance(user, User):
            user = User.objects.filter(pk=user.pk, is_active=True).first() or AnonymousUser()
            if not user.is_active:
                raise PermissionDenied(gettext(CREDENTIALS_ENDED))
        return Caller(user, token, self.address)

    @property
    def is_superuser(self) -> bool:
        """Return whether this is a superuser, in person or with a "manage" token of their own."""
        if self.token is not None and (
            self.token.organization_id is not None or self.token.scope != ApiToken.Scope.MANAGE
        ):
            return False
        return self.user.is_active and self.user.is_superuser

    @property
    def organizations(self) -> QuerySet[Organization]:
        """Return the organizations that this caller may see."""
        if self.token is not None and self.token.organization_id is not None:
            return Organization.objects.present().filter(pk=self.token.organization_id)
        if not self.user.is_active:
            return Organization.objects.none()
        if self.user.is_superuser:
            return Organization.objects.present()
        return Organization.objects.present().filter(memberships__user_id=self.user.pk)

    def managed(self) -> QuerySet[Organization]:
        """Return the organizations whose members and tokens this caller manages."""
        if self.is_superuser:
            return Organization.objects.present()
        read_only = self.token is not None and self.token.scope != ApiToken.Scope.MANAGE
        if read_only or (self.token is not None and self.token.organization_id is not None):
            return Organization.objects.none()
        owned = Q(memberships__user_id=self.user.pk, memberships__role=Role.OWNER)
        return self.organizations.filter(owned)

    def permissions(self, organization: Organization) -> frozenset[Permission]:
        """Return what this caller may do in this organization; empty for outsiders.

        Nobody may do anything in one that is being removed.
        """
        token = self.token
        if organization.removing_since is not None:
            return frozenset()
        if token is not None and token.organization_id is not None:
            if token.organization_id != organization.pk:
                return frozenset()
            return PERMISSIONS[_role_of(token)] | _message_scopes(token)
        if not self.user.is_active:
            return frozenset()
        if self.user.is_superuser:
            return self._permissions_as(None, organization)
        membership = Membership.objects.filter(user_id=self.user.pk, organization=organization)
        role = membership.values_list("role", flat=True).first()
        return self._permissions_as(role, organization)

    def _permissions_as(
        self, role: str | None, organization: Organization
    ) -> frozenset[Permission]:
        """Return what the user, or their token, may do where the user has this role."""
        return self._role_permissions(role) | self._message_permissions(role, organization)

    def _role_permissions(self, role: str | None) -> frozenset[Permission]:
        """Return what the user, or their token, may do there, apart from messages."""
        none: frozenset[Permission] = frozenset()
        permissions = PERMISSIONS.get(Role.OWNER if self.user.is_superuser else role or "", none)
        if self.token is not None and self.token.scope != ApiToken.Scope.MANAGE:
            return permissions & {Permission.SEE}
        return permissions

    def _message_permissions(
        self, role: str | None, organization: Organization
    ) -> frozenset[Permission]:
        """Return what the user, or their token, may do with messages there.

        A superuser looks after connections: in person they read no texts.
        """
        granted = MESSAGE_PERMISSIONS if self.token is None else _message_scopes(self.token)
        if self.user.is_superuser:
            return granted if self.token else frozenset({Permission.SEND_MESSAGES})
        operator_may = role == Role.OPERATOR and organization.operators_read_messages
        return granted if role == Role.OWNER or operator_may else frozenset()

    def roles(self, organizations: Iterable[Organization]) -> dict[int, str]:
        """Return, by organization id, the role that has this caller's rights there.

        A caller who lost the membership since the organizations were read counts as a viewer.
        """
        ids = [organization.pk for organization in organizations]
        if self.token is not None and self.token.organization_id is not None:
            return {self.token.organization_id: _role_of(self.token)}
        memberships = Membership.objects.filter(user=self.user.pk, organization__in=ids)
        stored = dict(memberships.values_list("organization_id", "role"))
        role_with = {permissions: role for role, permissions in PERMISSIONS.items()}
        permissions = {pk: self._role_permissions(stored.get(pk)) for pk in ids}
        return {pk: role_with.get(found, Role.VIEWER) for pk, found in permissions.items()}

    def may(self, permission: Permission, organization: Organization) -> bool:
        """Return whether this caller has this permission in this organization."""
        return permission in self.permissions(organization)

    def organization(
        self, organization_id: int, permission: Permission = Permission.SEE, *related: str
    ) -> Organization:
        """Return the organization, if this caller has this permission there.

        `related`: what the same query reads along, as in `select_related`.
        Raises Organization.DoesNotExist for outsiders, and PermissionDenied for callers who see it
        without this permission.
        """
        visible = self.organizations.select_related(*related) if related else self.organizations
        if not self._is_member:
            organization = visible.get(pk=organization_id)
            self.require(permission, organization)
            return organization
        found = visible.annotate(role=F("memberships__role")).get(pk=organization_id)
        _require_among(self._permissions_as(found.role, found), permission)
        return found

    @property
    def _is_member(self) -> bool:
        """Whether this caller's permissions are those of a membership."""
        own = self.token is not None and self.token.organization_id is not None
        return not own and self.user.is_active and not self.user.is_superuser

    def require_token_owner(self) -> User:
        """Return the user whose personal tokens this caller manages. Raises PermissionDenied."""
        token = self.token
        allowed = token is None or (
            token.organization_id is None and token.scope == ApiToken.Scope.MANAGE
        )
        if not allowed or not isinstance(self.user, User) or not self.user.is_active:
            raise PermissionDenied(gettext(TOKEN_OWNER_REQUIRED))
        return self.user

    def require(self, permission: Permission, organization: Organization) -> None:
        """Raise PermissionDenied unless this caller has this permission in this organization."""
        _require_among(self.permissions(organization), permission)

    def require_full_data(self, organization: Organization) -> None:
        """Raise PermissionDenied unless this caller may export and erase what is stored there."""
        held = self.permissions(organization)
        _require_among(held, Permission.MANAGE)
        _require_among(held, Permission.READ_MESSAGES)

    def require_tokens_of(self, user: User, organization: Organization | None) -> None:
        """Raise PermissionDenied unless this caller may create and revoke these tokens.

        Owners manage their organization's tokens; a user and superusers manage the user's tokens.
        """
        if organization is not None:
            self.require(Permission.MANAGE, organization)
        elif not self.is_superuser and self.require_token_owner() != user:
            raise PermissionDenied(gettext(TOKEN_OWNER_REQUIRED))

    def may_grant(
        self, scopes: Iterable[ApiToken.MessageScope], organization: Organization | None
    ) -> bool:
        """Return whether this caller may make a token with these message scopes.

        Nobody gives more than they have. A user's own token never has more rights than the user.
        """
        if organization is not None:
            held = self.permissions(organization)
        elif self.token is not None:
            held = _message_scopes(self.token)
        elif self.is_superuser:
            held = frozenset({Permission.SEND_MESSAGES})
        else:
            held = MESSAGE_PERMISSIONS
        return held.issuperset(SCOPE_PERMISSIONS[scope] for scope in scopes)

    def require_superuser(self) -> None:
        """Raise PermissionDenied unless `is_superuser`."""
        if not self.is_superuser:
            raise PermissionDenied(gettext(SUPERUSER_REQUIRED))


def _require_among(permissions: frozenset[Permission], permission: Permission) -> None:
    if permission not in permissions:
        raise PermissionDenied(gettext(DENIED_MESSAGES[permission]))


SCOPE_PERMISSIONS = {
    ApiToken.MessageScope.SEND: Permission.SEND_MESSAGES,
    ApiToken.MessageScope.READ: Permission.READ_MESSAGES,
}


def _message_scopes(token: ApiToken) -> frozenset[Permission]:
    """Return the rights to messages that a token's scopes allow."""
    return frozenset(SCOPE_PERMISSIONS[scope] for scope in token.message_scopes)


def _role_of(token: ApiToken) -> Role:
    """Return the role that has the rights of an organization's own token."""
    return Role.OPERATOR if token.scope == ApiToken.Scope.MANAGE else Role.VIEWER


def for_user(user: User | AnonymousUser, address: str | None = None) -> Caller:
    """Return the caller for a logged-in user, as in admin."""
    return Caller(user, None, address)
