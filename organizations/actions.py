"""The only writers of organizations, members and tokens. Each change leaves its audit entry.

What a view has checked may have changed before the change is made: so each action first locks,
then reads its rows again and checks the actor's right again. It raises PermissionDenied when the
right is gone. On SQLite a transaction locks the whole database (`BEGIN IMMEDIATE`).
"""

from __future__ import annotations

import uuid
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from organizations.access import Permission
from organizations.actors import Actor
from organizations.audit import Action, log_audit
from organizations.keys import end_keys, revoke_trees, tokens_made_in
from organizations.locks import lock, lock_organization
from organizations.models import ApiToken, Invitation, Membership, Organization
from organizations.phone_numbers import formatted

LAST_OWNER = _(
    "An organization with members keeps at least one owner. Make someone else an owner first."
)


class LastOwner(Exception):
    """An organization with members keeps at least one owner."""


INACTIVE_USER = _("This user is inactive. Activate the user first.")


class InactiveUser(Exception):
    """An inactive user becomes no member."""


def _require_superuser(actor: Actor, organization: Organization | None = None) -> None:
    """Lock, and check that a person who acts is still a superuser."""
    caller, _organization = lock(actor, organization)
    if caller is not None:
        caller.require_superuser()


# --- Organizations ------------------------------------------------------------------------------


@transaction.atomic
def create_organization(name: str, actor: Actor, expected_number: str = "") -> Organization:
    """A new tenant."""
    _require_superuser(actor)
    organization = Organization.objects.create(name=name)
    log_audit(Action.ORGANIZATION_CREATED, organization, actor, name)
    set_expected_number(organization, expected_number, actor)
    return organization


@transaction.atomic
def rename_organization(organization: Organization, name: str, actor: Actor) -> None:
    """Call it something else; the same name changes nothing."""
    was = lock_organization(organization, actor, Permission.MANAGE).name
    organization.name = name
    if name != was:
        Organization.objects.filter(pk=organization.pk).update(name=name)
        log_audit(Action.ORGANIZATION_RENAMED, organization, actor, f"{was} → {name}")


@transaction.atomic
def set_expected_number(organization: Organization, number: str, actor: Actor) -> None:
    """Whose phone may be linked, in digits; empty: anyone's. The same number changes nothing."""
    was = lock_organization(organization, actor, Permission.MANAGE).expected_number
    organization.expected_number = number
    if number != was:
        Organization.objects.filter(pk=organization.pk).update(expected_number=number)
        detail = f"{formatted(was) or 'any'} → {formatted(number) or 'any'}"
        log_audit(Action.EXPECTED_NUMBER_CHANGED, organization, actor, detail)


@transaction.atomic
def set_active(organization: Organization, active: bool, actor: Actor) -> None:
    """Deactivate or reactivate; asked for again it changes nothing."""
    _require_superuser(actor, organization)
    deactivated_at = None if active else timezone.now()
    changing = Organization.objects.filter(pk=organization.pk, deactivated_at__isnull=not active)
    if changing.update(deactivated_at=deactivated_at):
        organization.deactivated_at = deactivated_at
        action = Action.ORGANIZATION_REACTIVATED if active else Action.ORGANIZATION_DEACTIVATED
        log_audit(action, organization, actor)


# --- Members ------------------------------------------------------------------------------------


@transaction.atomic
def set_member(
    organization: Organization,
    user: User,
    role: Membership.Role,
    actor: Actor,
    *,
    add: bool = True,
    revoke_tokens: bool = True,
) -> tuple[Membership, bool]:
    """Give a user this role. Returns the membership and whether it is new.

    Owners change roles; only superusers add someone (owners invite: organizations.invitations).
    Who may do less than before loses what that right had opened: open pairings and links, and with
    `revoke_tokens` the organization's tokens that they made, if they manage it no more.
    Raises LastOwner, InactiveUser, and Membership.DoesNotExist where there is none and `add` is
    not set.
    """
    lock_organization(organization, actor, Permission.MANAGE, user)
    membership = Membership.objects.filter(organization=organization, user=user).first()
    if membership is None:
        if not add:
            raise Membership.DoesNotExist
        return _add_member(organization, user, role, actor), True
    if membership.role != role:
        _keep_an_owner(membership)
        was, membership.role = membership.role, role
        membership.save(update_fields=["role"])
        detail = f"{user.get_username()}: {was} → {role}"
        log_audit(Action.MEMBER_CHANGED, organization, actor, detail)
        end_keys(user, [organization], actor, revoke_tokens=revoke_tokens)
    return membership, False


def _add_member(
    organization: Organization, user: User, role: Membership.Role, actor: Actor
) -> Membership:
    """Make a user a member at once. The user and the organization are locked."""
    _require_superuser(actor)
    if not User.objects.filter(pk=user.pk, is_active=True).exists():
        raise InactiveUser(gettext(INACTIVE_USER))
    # One that is still open would offer what they have.
    Invitation.objects.filter(organization=organization, username=user.get_username()).delete()
    membership = Membership.objects.create(organization=organization, user=user, role=role)
    log_audit(Action.MEMBER_ADDED, organization, actor, f"{user.get_username()}: {role}")
    return membership


@transaction.atomic
def remove_member(
    membership: Membership, actor: Actor, *, revoke_tokens: bool = True
) -> list[ApiToken]:
    """Take a user's place away; open pages and sockets follow at once. Return the revoked tokens.

    Their open pairings and links end, and with `revoke_tokens` the organization's tokens that they
    made. A place that is gone already stays gone. Raises LastOwner.
    """
    user = membership.user
    organization = lock_organization(membership.organization, actor, Permission.MANAGE, user)
    found = Membership.objects.select_related("user").filter(pk=membership.pk).first()
    if found is None:
        return []
    _keep_an_owner(found)
    detail = f"{found.user.get_username()}: {found.role}"
    found.delete()
    log_audit(Action.MEMBER_REMOVED, organization, actor, detail)
    return end_keys(user, [organization], actor, revoke_tokens=revoke_tokens)


def _keep_an_owner(membership: Membership) -> None:
    """Raises LastOwner when others would be left without anyone who manages them.

    The organization is locked and the membership was read after that.
    """
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

    With `organization` it is that organization's own; without, it stands for `user`. Revoking the
    token that the actor used, if any, revokes this one too.
    """
    caller, organization = lock(actor, organization, user)
    if caller is not None:
        caller.require_tokens_of(user, organization)
    token, text = ApiToken.objects.create(
        user=user,
        expiry=None,
        number=uuid.uuid4(),
        organization=organization,
        name=name,
        scope=scope,
        made_by=actor.token,
    )
    if expires_at is not None:
        # knox takes how long a token lasts, which would blur the moment that was asked for.
        token.expiry = expires_at
        token.save(update_fields=["expiry"])
    whose = "" if organization else f" for {user.get_username()}"
    log_audit(Action.TOKEN_CREATED, organization, actor, f"{name} ({scope}){whose}")
    return token, text


@transaction.atomic
def revoke_tokens_of(user: User, organization: Organization, actor: Actor) -> list[ApiToken]:
    """Revoke the organization's own tokens that this user made. Return the tokens revoked now."""
    locked = lock_organization(organization, actor, Permission.MANAGE, user)
    made = tokens_made_in(locked, user).select_related("organization")
    return revoke_trees(made, actor)


@transaction.atomic
def revoke_token(token: ApiToken, actor: Actor) -> list[ApiToken]:
    """Revoke a token, and all tokens made with it, and with those. Return the tokens revoked now.

    Revoked again, a token changes nothing, but for tokens made with it that are still valid. Open
    pairings that were begun with a revoked token end.
    """
    caller, organization = lock(actor, token.organization, token.user)
    if caller is not None:
        caller.require_tokens_of(token.user, organization)
    return revoke_trees([token], actor)
