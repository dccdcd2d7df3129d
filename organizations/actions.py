"""The only writers of organizations, members and tokens. Each change leaves its audit entry."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from organizations.actors import Actor
from organizations.models import ApiToken, AuditEntry, Membership, Organization
from organizations.phone_numbers import formatted

Action = AuditEntry.Action
DETAIL_LENGTH = 500


LAST_OWNER = _(
    "An organization with members keeps at least one owner. Make someone else an owner first."
)


class LastOwner(Exception):
    """An organization with members keeps at least one owner."""


def note(
    action: AuditEntry.Action, organization: Organization | None, actor: Actor, detail: str = ""
) -> None:
    """Remember who changed what, and from where."""
    AuditEntry.objects.create(
        organization=organization,
        action=action,
        detail=detail[:DETAIL_LENGTH],
        **actor.columns,
    )


# --- Organizations ------------------------------------------------------------------------------


@transaction.atomic
def create_organization(name: str, actor: Actor, expected_number: str = "") -> Organization:
    """A new tenant."""
    organization = Organization.objects.create(name=name)
    note(Action.ORGANIZATION_CREATED, organization, actor, name)
    set_expected_number(organization, expected_number, actor)
    return organization


@transaction.atomic
def rename_organization(organization: Organization, name: str, actor: Actor) -> None:
    """Call it something else; the same name changes nothing."""
    was = Organization.objects.select_for_update().get(pk=organization.pk).name
    organization.name = name
    if name != was:
        Organization.objects.filter(pk=organization.pk).update(name=name)
        note(Action.ORGANIZATION_RENAMED, organization, actor, f"{was} → {name}")


@transaction.atomic
def set_expected_number(organization: Organization, number: str, actor: Actor) -> None:
    """Whose phone may be linked, in digits; empty: anyone's. The same number changes nothing."""
    was = Organization.objects.select_for_update().get(pk=organization.pk).expected_number
    organization.expected_number = number
    if number != was:
        Organization.objects.filter(pk=organization.pk).update(expected_number=number)
        detail = f"{formatted(was) or 'any'} → {formatted(number) or 'any'}"
        note(Action.EXPECTED_NUMBER_CHANGED, organization, actor, detail)


@transaction.atomic
def set_active(organization: Organization, active: bool, actor: Actor) -> None:
    """Deactivate or reactivate; asked for again it changes nothing."""
    deactivated_at = None if active else timezone.now()
    changing = Organization.objects.filter(pk=organization.pk, deactivated_at__isnull=not active)
    if changing.update(deactivated_at=deactivated_at):
        organization.deactivated_at = deactivated_at
        action = Action.ORGANIZATION_REACTIVATED if active else Action.ORGANIZATION_DEACTIVATED
        note(action, organization, actor)


# --- Members ------------------------------------------------------------------------------------


@transaction.atomic
def set_member(
    organization: Organization, user: User, role: Membership.Role, actor: Actor
) -> tuple[Membership, bool]:
    """Give a user this role. Returns the membership and whether it is new. Raises LastOwner."""
    Organization.objects.select_for_update().get(pk=organization.pk)
    membership = Membership.objects.filter(organization=organization, user=user).first()
    if membership is None:
        membership = Membership.objects.create(organization=organization, user=user, role=role)
        note(Action.MEMBER_ADDED, organization, actor, f"{user.get_username()}: {role}")
        return membership, True
    if membership.role != role:
        _keep_an_owner(membership)
        was, membership.role = membership.role, role
        membership.save(update_fields=["role"])
        detail = f"{user.get_username()}: {was} → {role}"
        note(Action.MEMBER_CHANGED, organization, actor, detail)
    return membership, False


@transaction.atomic
def remove_member(membership: Membership, actor: Actor) -> None:
    """Take a user's place away; open pages and sockets follow at once. Raises LastOwner."""
    Organization.objects.select_for_update().get(pk=membership.organization_id)
    _keep_an_owner(membership)
    detail = f"{membership.user.get_username()}: {membership.role}"
    organization = membership.organization
    membership.delete()
    note(Action.MEMBER_REMOVED, organization, actor, detail)


def _keep_an_owner(membership: Membership) -> None:
    """Raises LastOwner when others would be left without anyone who manages them."""
    if membership.role != Membership.Role.OWNER:
        return
    others = Membership.objects.filter(organization_id=membership.organization_id)
    others = others.exclude(pk=membership.pk)
    if others.exists() and not others.filter(role=Membership.Role.OWNER).exists():
        raise LastOwner(gettext(LAST_OWNER))


# --- Tokens -------------------------------------------------------------------------------------


@transaction.atomic
def create_token(
    user: User,
    name: str,
    actor: Actor,
    *,
    organization: Organization | None = None,
    scope: ApiToken.Scope = ApiToken.Scope.MANAGE,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """A new token, and its text, which is shown only now.

    With `organization` it is that organization's own; without, it stands for `user`.
    """
    token, text = ApiToken.objects.create(
        user=user,
        expiry=None,
        number=uuid.uuid4(),
        organization=organization,
        name=name,
        scope=scope,
    )
    if expires_at is not None:
        # knox takes how long a token lasts, which would blur the moment that was asked for.
        token.expiry = expires_at
        token.save(update_fields=["expiry"])
    whose = "" if organization else f" for {user.get_username()}"
    note(Action.TOKEN_CREATED, organization, actor, f"{name} ({scope}){whose}")
    return token, text


@transaction.atomic
def revoke_token(token: ApiToken, actor: Actor) -> None:
    """It opens nothing any more, from now on; asked for again it changes nothing."""
    valid = ApiToken.objects.filter(pk=token.pk, revoked_at=None)
    if valid.update(revoked_at=timezone.now()):
        note(Action.TOKEN_REVOKED, token.organization, actor, token.name)
