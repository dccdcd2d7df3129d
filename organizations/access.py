"""The one door to a tenant: who may see which organizations, and do what in them.

Whoever asks (a person in admin, a token over the API, a page's socket) becomes a `Caller` here, and
the views, the admin and the consumers ask the caller. What a caller may not see does not exist for
it: the answer is `Organization.DoesNotExist` (404), never "forbidden".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from organizations.actors import Actor
from organizations.models import ApiToken, Membership, Organization

Role = Membership.Role


class Permission(StrEnum):
    """What one may do in an organization."""

    SEE = "see"  # its status and its history
    OPERATE = "operate"  # reconnect, disconnect, see a QR code
    MANAGE = "manage"  # its name, its expected number, its members, its tokens


PERMISSIONS: dict[str, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.SEE}),
    Role.OPERATOR: frozenset({Permission.SEE, Permission.OPERATE}),
    Role.OWNER: frozenset(Permission),
}

DENIED_MESSAGES = {
    Permission.SEE: _("You may not look at this organization."),
    Permission.OPERATE: _("Your role or token only allows you to look at this organization."),
    Permission.MANAGE: _("Only an owner of this organization may do this."),
}
NO_SUPERUSER = _("Only an administrator of the service may do this.")
ENDED = _("This login or token has ended meanwhile, so nothing was changed.")
NOT_YOUR_TOKENS = _("Only a user, or a token of theirs that may manage, may do this.")


@dataclass(frozen=True)
class Caller:
    """Who asks: a user, in person or by a token, or an organization's own token; and from where.

    A user's token may do what its user may, a token of scope "read" no more than look. An
    organization's token stands for no user: it looks, and with scope "manage" it operates, there
    and nowhere else.
    """

    user: User | AnonymousUser
    token: ApiToken | None = None
    address: str | None = None

    @property
    def actor(self) -> Actor:
        """This caller as the history remembers it."""
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
                raise PermissionDenied(gettext(ENDED))
        if isinstance(user, User):
            user = User.objects.filter(pk=user.pk, is_active=True).first() or AnonymousUser()
            if not user.is_active:
                raise PermissionDenied(gettext(ENDED))
        return Caller(user, token, self.address)

    @property
    def is_superuser(self) -> bool:
        """Whether this is a superuser who may change things, in person or by a token of theirs."""
        if self.token is not None and (
            self.token.organization_id is not None or self.token.scope != ApiToken.Scope.MANAGE
        ):
            return False
        return self.user.is_active and self.user.is_superuser

    @property
    def organizations(self) -> QuerySet[Organization]:
        """The organizations that exist for this caller."""
        if self.token is not None and self.token.organization_id is not None:
            return Organization.objects.filter(pk=self.token.organization_id)
        if not self.user.is_active:
            return Organization.objects.none()
        if self.user.is_superuser:
            return Organization.objects.all()
        return Organization.objects.filter(memberships__user_id=self.user.pk)

    def managed(self) -> QuerySet[Organization]:
        """The organizations whose members and tokens this caller manages."""
        if self.is_superuser:
            return Organization.objects.all()
        read_only = self.token is not None and self.token.scope != ApiToken.Scope.MANAGE
        if read_only or (self.token is not None and self.token.organization_id is not None):
            return Organization.objects.none()
        owned = Q(memberships__user_id=self.user.pk, memberships__role=Role.OWNER)
        return self.organizations.filter(owned)

    def permissions(self, organization: Organization) -> frozenset[Permission]:
        """What this caller may do in this organization; empty for outsiders."""
        token = self.token
        if token is not None and token.organization_id is not None:
            if token.organization_id != organization.pk:
                return frozenset()
            return PERMISSIONS[_role_of(token)]
        if not self.user.is_active:
            return frozenset()
        if self.user.is_superuser:
            return self._permissions_as(None)
        membership = Membership.objects.filter(user_id=self.user.pk, organization=organization)
        return self._permissions_as(membership.values_list("role", flat=True).first())

    def _permissions_as(self, role: str | None) -> frozenset[Permission]:
        """What a user, or their token, may do where the user has this role."""
        none: frozenset[Permission] = frozenset()
        permissions = PERMISSIONS.get(Role.OWNER if self.user.is_superuser else role or "", none)
        if self.token is not None and self.token.scope != ApiToken.Scope.MANAGE:
            return permissions & {Permission.SEE}
        return permissions

    def roles(self, organizations: Iterable[Organization]) -> dict[int, str]:
        """For each of these organizations that this caller sees, the role that may do as much.

        Who has lost a place between two looks is still told as a viewer.
        """
        ids = [organization.pk for organization in organizations]
        if self.token is not None and self.token.organization_id is not None:
            return {self.token.organization_id: _role_of(self.token)}
        memberships = Membership.objects.filter(user=self.user.pk, organization__in=ids)
        given = dict(memberships.values_list("organization_id", "role"))
        named = {permissions: role for role, permissions in PERMISSIONS.items()}
        return {pk: named.get(self._permissions_as(given.get(pk)), Role.VIEWER) for pk in ids}

    def may(self, permission: Permission, organization: Organization) -> bool:
        """Whether this caller may do this here."""
        return permission in self.permissions(organization)

    def organization(
        self, organization_id: int, permission: Permission = Permission.SEE, *related: str
    ) -> Organization:
        """Return one organization in which this caller may do this.

        `related`: what the same query reads along, as in `select_related`.
        Raises Organization.DoesNotExist for outsiders, PermissionDenied for those who see it but
        may not do this.
        """
        visible = self.organizations.select_related(*related) if related else self.organizations
        if not self._is_member:
            organization = visible.get(pk=organization_id)
            self.require(permission, organization)
            return organization
        found = visible.annotate(role=F("memberships__role")).get(pk=organization_id)
        _require_among(self._permissions_as(found.role), permission)
        return found

    @property
    def _is_member(self) -> bool:
        """Whether this caller's permissions are those of a membership."""
        own = self.token is not None and self.token.organization_id is not None
        return not own and self.user.is_active and not self.user.is_superuser

    def require_token_owner(self) -> User:
        """The user whose own tokens this caller manages. Raises PermissionDenied."""
        token = self.token
        may = token is None or (
            token.organization_id is None and token.scope == ApiToken.Scope.MANAGE
        )
        if not may or not isinstance(self.user, User) or not self.user.is_active:
            raise PermissionDenied(gettext(NOT_YOUR_TOKENS))
        return self.user

    def require(self, permission: Permission, organization: Organization) -> None:
        """Raises PermissionDenied unless this caller may do this in this organization."""
        _require_among(self.permissions(organization), permission)

    def require_tokens_of(self, user: User, organization: Organization | None) -> None:
        """Raises PermissionDenied unless this caller may make and revoke such tokens.

        That is an organization's for its owners, and a user's for that user and for superusers.
        """
        if organization is not None:
            self.require(Permission.MANAGE, organization)
        elif not self.is_superuser and self.require_token_owner() != user:
            raise PermissionDenied(gettext(NOT_YOUR_TOKENS))

    def require_superuser(self) -> None:
        """Raises PermissionDenied unless this is a superuser who may change things."""
        if not self.is_superuser:
            raise PermissionDenied(gettext(NO_SUPERUSER))


def _require_among(permissions: frozenset[Permission], permission: Permission) -> None:
    if permission not in permissions:
        raise PermissionDenied(gettext(DENIED_MESSAGES[permission]))


def _role_of(token: ApiToken) -> Role:
    """The role that may do as much as an organization's own token."""
    return Role.OPERATOR if token.scope == ApiToken.Scope.MANAGE else Role.VIEWER


def for_user(user: User | AnonymousUser, address: str | None = None) -> Caller:
    """A caller in person, as in admin and on its pages."""
    return Caller(user, None, address)
