"""The only writers of organizations, members and tokens. Each change adds an audit entry.

A right that a view has checked may end before the change. So each action locks, reads its rows
again, checks the actor's right again, and raises PermissionDenied when it is gone. On SQLite a
transaction locks the whole database (`BEGIN IMMEDIATE`).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from organizations.access import SCOPE_NOT_HELD, Actor, Permission
from organizations.audit import Action, log_audit
from organizations.locks import lock, lock_organization
from organizations.models import ApiToken, Invitation, Membership, Organization
from organizations.phone_numbers import format_phone_number
from organizations.revocation import organization_tokens, revoke_lost_access, revoke_trees
from organizations.signals import activity_changed

LAST_OWNER = _(
    "An organization with members keeps an active owner. Make someone else an owner first."
)


class LastOwner(Exception):
    """The change would leave an organization with members but without an active owner."""


INACTIVE_USER = _("This user is inactive. Activate the user first.")


class InactiveUser(Exception):
    """An inactive user cannot become a member."""


INCOMPLETE_TOKEN = _(
    "A token of the Cloud API needs an organization, a right to messages and an expiry."
)


class IncompleteToken(Exception):
    """A token of the Cloud API lacks what limits it."""


def _require_superuser(actor: Actor, organization: Organization | None = None) -> None:
    """Lock, and raise PermissionDenied unless the actor is still a superuser."""
    caller, _organization = lock(actor, organization)
    if caller is not None:
        caller.require_superuser()


# --- Organizations ------------------------------------------------------------------------------


@transaction.atomic
def create_organization(name: str, actor: Actor, expected_number: str = "") -> Organization:
    """Create an organization and return it."""
    _require_superuser(actor)
    organization = Organization.objects.create(name=name)
    log_audit(Action.ORGANIZATION_CREATED, organization, actor, name)
    set_expected_number(organization, expected_number, actor)
    return organization


@transaction.atomic
def rename_organization(organization: Organization, name: str, actor: Actor) -> None:
    """Rename an organization; the same name changes nothing."""
    previous = lock_organization(organization, actor, Permission.MANAGE).name
    organization.name = name
    if name != previous:
        Organization.objects.filter(pk=organization.pk).update(name=name)
        log_audit(Action.ORGANIZATION_RENAMED, organization, actor, f"{previous} → {name}")


@transaction.atomic
def set_expected_number(organization: Organization, number: str, actor: Actor) -> None:
    """Set the only number (digits) that may be linked; empty: any. The same one changes nothing."""
    previous = lock_organization(organization, actor, Permission.MANAGE).expected_number
    organization.expected_number = number
    if number != previous:
        Organization.objects.filter(pk=organization.pk).update(expected_number=number)
        detail = (
            f"{format_phone_number(previous) or 'any'} → {format_phone_number(number) or 'any'}"
        )
        log_audit(Action.EXPECTED_NUMBER_CHANGED, organization, actor, detail)


@transaction.atomic
def set_operators_read_messages(organization: Organization, allowed: bool, actor: Actor) -> None:
    """Let operators read and write messages, or not; the same again changes nothing."""
    before = lock_organization(organization, actor, Permission.MANAGE).operators_read_messages
    organization.operators_read_messages = allowed
    if allowed != before:
        Organization.objects.filter(pk=organization.pk).update(operators_read_messages=allowed)
        action = Action.MESSAGES_OPENED if allowed else Action.MESSAGES_CLOSED
        log_audit(action, organization, actor)


@transaction.atomic
def set_active(organization: Organization, active: bool, actor: Actor) -> None:
    """Deactivate or reactivate an organization; repeating it changes nothing."""
    _require_superuser(actor, organization)
    deactivated_at = None if active else timezone.now()
    present = Organization.objects.present().filter(pk=organization.pk)
    changing = present.filter(deactivated_at__isnull=not active)
    if changing.update(deactivated_at=deactivated_at):
        organization.deactivated_at = deactivated_at
        action = Action.ORGANIZATION_REACTIVATED if active else Action.ORGANIZATION_DEACTIVATED
        log_audit(action, organization, actor)
        activity_changed.send(sender=Organization)


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
    """Give a user this role. Return the membership and whether it is new.

    Owners change roles; only superusers add members (owners invite: organizations.invitations).
    A user with fewer rights than before loses open pairings and links, and with `revoke_tokens`
    the organization's tokens that they created, if they no longer manage it.
    Raises LastOwner, InactiveUser, and Membership.DoesNotExist when `add` is false and the user is
    not a member.
    """
    lock_organization(organization, actor, Permission.MANAGE, user)
    membership = Membership.objects.filter(organization=organization, user=user).first()
    if membership is None:
        if not add:
            raise Membership.DoesNotExist
        return _add_member(organization, user, role, actor), True
    if membership.role != role:
        _require_other_owner(membership)
        previous, membership.role = membership.role, role
        membership.save(update_fields=["role"])
        detail = f"{user.get_username()}: {previous} → {role}"
        log_audit(Action.MEMBER_CHANGED, organization, actor, detail)
        revoke_lost_access(user, [organization], actor, revoke_tokens=revoke_tokens)
    return membership, False


def _add_member(
    organization: Organization, user: User, role: Membership.Role, actor: Actor
) -> Membership:
    """Add a member without an invitation. The user and the organization must be locked."""
    _require_superuser(actor)
    if not User.objects.filter(pk=user.pk, is_active=True).exists():
        raise InactiveUser(gettext(INACTIVE_USER))
    # An open invitation would offer what the user already has.
    Invitation.objects.filter(organization=organization, username=user.get_username()).delete()
    membership = Membership.objects.create(organization=organization, user=user, role=role)
    log_audit(Action.MEMBER_ADDED, organization, actor, f"{user.get_username()}: {role}")
    return membership


@transaction.atomic
def remove_member(
    membership: Membership,
    actor: Actor,
    *,
    revoke_tokens: bool = True,
    kept_tokens: Collection[uuid.UUID] = (),
) -> list[ApiToken]:
    """Remove a member and return the revoked tokens.

    Ends their open pages, sockets, pairings and links, and with `revoke_tokens` revokes the
    organization's tokens that they created, but those with the numbers `kept_tokens`. Does nothing
    when they are no longer a member. Raises LastOwner.
    """
    user = membership.user
    organization = lock_organization(membership.organization, actor, Permission.MANAGE, user)
    found = Membership.objects.select_related("user").filter(pk=membership.pk).first()
    if found is None:
        return []
    _require_other_owner(found)
    detail = f"{found.user.get_username()}: {found.role}"
    found.delete()
    log_audit(Action.MEMBER_REMOVED, organization, actor, detail)
    return revoke_lost_access(
        user, [organization], actor, revoke_tokens=revoke_tokens, kept_tokens=kept_tokens
    )


def _require_other_owner(membership: Membership) -> None:
    """Raise LastOwner when this is the only active owner and there are other members.

    An inactive owner may go while any other is left: nobody loses what they can do.
    The organization must be locked, and the membership read after that.
    """
    if membership.role != Membership.Role.OWNER:
        return
    others = Membership.objects.filter(organization_id=membership.organization_id)
    others = others.exclude(pk=membership.pk)
    owners = others.filter(role=Membership.Role.OWNER)
    if membership.user.is_active:
        owners = owners.filter(user__is_active=True)
    if others.exists() and not owners.exists():
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
    message_scopes: Collection[ApiToken.MessageScope] = (),
    expires_at: datetime | None = None,
    kind: ApiToken.Kind = ApiToken.Kind.REST,
) -> tuple[ApiToken, str]:
    """Create a token. Return it and its secret text, which is not stored.

    With `organization` it is that organization's own token; without, a personal token of `user`.
    Revoking the token that the actor used, if any, revokes this one too. Raises IncompleteToken,
    and PermissionDenied, also for a message scope that the actor does not have.
    """
    if kind == ApiToken.Kind.GRAPH:
        if organization is None or not message_scopes or expires_at is None:
            raise IncompleteToken(gettext(INCOMPLETE_TOKEN))
        # It has to do with messages only.
        scope = ApiToken.Scope.READ
    caller, organization = lock(actor, organization, user)
    if caller is not None:
        caller.require_tokens_of(user, organization)
        if not caller.may_grant(message_scopes, organization):
            raise PermissionDenied(gettext(SCOPE_NOT_HELD))
    token, text = ApiToken.objects.create(
        user=user,
        expiry=None,
        number=uuid.uuid4(),
        organization=organization,
        name=name,
        kind=kind,
        scope=scope,
        sends_messages=ApiToken.MessageScope.SEND in message_scopes,
        reads_messages=ApiToken.MessageScope.READ in message_scopes,
        made_by=actor.token,
    )
    if expires_at is not None:
        # knox takes a duration, which would shift the exact time that was requested.
        token.expiry = expires_at
        token.save(update_fields=["expiry"])
    suffix = "" if organization else f" for {user.get_username()}"
    own = [] if kind == ApiToken.Kind.REST else [kind]
    scopes = ", ".join([scope, *token.message_scopes, *own])
    log_audit(Action.TOKEN_CREATED, organization, actor, f"{name} ({scopes}){suffix}")
    return token, text


@transaction.atomic
def revoke_tokens_of(user: User, organization: Organization, actor: Actor) -> list[ApiToken]:
    """Revoke the organization's own tokens that this user created. Return the revoked tokens."""
    locked = lock_organization(organization, actor, Permission.MANAGE, user)
    tokens = organization_tokens(locked, user).select_related("organization")
    return revoke_trees(tokens, actor)


@transaction.atomic
def revoke_token(token: ApiToken, actor: Actor) -> list[ApiToken]:
    """Revoke a token and, recursively, the tokens created with it. Return the newly revoked ones.

    Revoking it again still revokes valid tokens that were created with it. Open pairings that were
    started with a revoked token end.
    """
    caller, organization = lock(actor, token.organization, token.user)
    if caller is not None:
        caller.require_tokens_of(token.user, organization)
    return revoke_trees([token], actor)
