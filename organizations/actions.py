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

from organizations.access import Caller
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


# --- Locks and rights ---------------------------------------------------------------------------


def _lock(
    actor: Actor, organization: Organization | None, user: User | None = None
) -> tuple[Caller | None, Organization | None]:
    """Lock the actor's user, `user` and the organization. Return actor and organization read again.

    The actor's right and token change only under these locks. They are taken in one order, so two
    actions never wait for each other. Raises PermissionDenied when the actor's token or user is
    no longer valid, and Organization.DoesNotExist.
    """
    users = {found.pk for found in (actor.user, user) if found is not None}
    # no_key: rows that only refer to these, such as a history's, can still be added.
    rows = User.objects.select_for_update(no_key=True).filter(pk__in=users).order_by("pk")
    list(rows.values_list("pk", flat=True))
    if organization is not None:
        locked = Organization.objects.select_for_update(no_key=True)
        organization = locked.get(pk=organization.pk)
    return actor.caller and actor.caller.reread(), organization


def _lock_managed(organization: Organization, actor: Actor) -> Organization:
    """Lock an organization that the actor manages, and return it read again."""
    caller, locked = _lock(actor, organization)
    assert locked is not None
    if caller is not None:
        caller.require_manage(locked)
    return locked


def _require_superuser(actor: Actor, organization: Organization | None = None) -> None:
    """Lock, and check that a person who acts is still a superuser."""
    caller, _organization = _lock(actor, organization)
    if caller is not None:
        caller.superuser()


# --- Organizations ------------------------------------------------------------------------------


@transaction.atomic
def create_organization(name: str, actor: Actor, expected_number: str = "") -> Organization:
    """A new tenant."""
    _require_superuser(actor)
    organization = Organization.objects.create(name=name)
    note(Action.ORGANIZATION_CREATED, organization, actor, name)
    set_expected_number(organization, expected_number, actor)
    return organization


@transaction.atomic
def rename_organization(organization: Organization, name: str, actor: Actor) -> None:
    """Call it something else; the same name changes nothing."""
    was = _lock_managed(organization, actor).name
    organization.name = name
    if name != was:
        Organization.objects.filter(pk=organization.pk).update(name=name)
        note(Action.ORGANIZATION_RENAMED, organization, actor, f"{was} → {name}")


@transaction.atomic
def set_expected_number(organization: Organization, number: str, actor: Actor) -> None:
    """Whose phone may be linked, in digits; empty: anyone's. The same number changes nothing."""
    was = _lock_managed(organization, actor).expected_number
    organization.expected_number = number
    if number != was:
        Organization.objects.filter(pk=organization.pk).update(expected_number=number)
        detail = f"{formatted(was) or 'any'} → {formatted(number) or 'any'}"
        note(Action.EXPECTED_NUMBER_CHANGED, organization, actor, detail)


@transaction.atomic
def set_active(organization: Organization, active: bool, actor: Actor) -> None:
    """Deactivate or reactivate; asked for again it changes nothing."""
    _require_superuser(actor, organization)
    deactivated_at = None if active else timezone.now()
    changing = Organization.objects.filter(pk=organization.pk, deactivated_at__isnull=not active)
    if changing.update(deactivated_at=deactivated_at):
        organization.deactivated_at = deactivated_at
        action = Action.ORGANIZATION_REACTIVATED if active else Action.ORGANIZATION_DEACTIVATED
        note(action, organization, actor)


# --- Members ------------------------------------------------------------------------------------


@transaction.atomic
def set_member(
    organization: Organization,
    user: User,
    role: Membership.Role,
    actor: Actor,
    *,
    add: bool = True,
) -> tuple[Membership, bool]:
    """Give a user this role. Returns the membership and whether it is new.

    Raises LastOwner, and Membership.DoesNotExist where there is none and `add` is not set.
    """
    _lock_managed(organization, actor)
    membership = Membership.objects.filter(organization=organization, user=user).first()
    if membership is None:
        if not add:
            raise Membership.DoesNotExist
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
    """Take a user's place away; open pages and sockets follow at once. Raises LastOwner.

    A place that is gone already stays gone.
    """
    organization = _lock_managed(membership.organization, actor)
    found = Membership.objects.select_related("user").filter(pk=membership.pk).first()
    if found is None:
        return
    _keep_an_owner(found)
    detail = f"{found.user.get_username()}: {found.role}"
    found.delete()
    note(Action.MEMBER_REMOVED, organization, actor, detail)


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
    caller, organization = _lock(actor, organization, user)
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
    note(Action.TOKEN_CREATED, organization, actor, f"{name} ({scope}){whose}")
    return token, text


@transaction.atomic
def revoke_token(token: ApiToken, actor: Actor) -> list[ApiToken]:
    """Revoke a token, and all tokens made with it, and with those. Return the tokens revoked now.

    Revoked again, a token changes nothing, but for tokens made with it that are still valid.
    """
    caller, organization = _lock(actor, token.organization, token.user)
    if caller is not None:
        caller.require_tokens_of(token.user, organization)
    revoked: list[ApiToken] = []
    # No token is added to the tree meanwhile: all of it was made by one user, who is locked.
    level, seen = [token], {token.pk}
    while level:
        for found in level:
            valid = ApiToken.objects.filter(pk=found.pk, revoked_at=None)
            if valid.update(revoked_at=timezone.now()):
                note(Action.TOKEN_REVOKED, found.organization, actor, found.name)
                revoked.append(found)
        made = ApiToken.objects.filter(made_by__in=level).exclude(pk__in=seen)
        level = list(made.select_related("organization").order_by("created", "pk"))
        seen.update(found.pk for found in level)
    return revoked
