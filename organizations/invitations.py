"""Invitations: an owner offers a place to the user of a name, who accepts or declines it.

Who invites must not learn whether there is a user of that name. So nothing here looks for one:
the same is read, written and answered for each name. A declined invitation looks to owners like
one that waits, until it expires.

These are writers as those in `organizations.actions`: they lock, then read and check again.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_noop as _

from organizations.access import PERMISSIONS, Caller, Permission
from organizations.actors import Actor
from organizations.audit import Action, log_audit
from organizations.locks import lock, lock_organization
from organizations.models import Invitation, Membership, Organization

LIFETIME = timedelta(days=14)
OPEN_PER_ORGANIZATION = 50
RATE_WINDOW = timedelta(days=1)
PER_WINDOW = 100
"""How many an organization may make in RATE_WINDOW."""

MANAGERS = [role for role, permissions in PERMISSIONS.items() if Permission.MANAGE in permissions]
ALREADY_A_MEMBER = _("This user is a member already.")
TOO_MANY_OPEN = _(
    "This organization has {number} open invitations, and may have no more. Withdraw one first."
)


class AlreadyMember(Exception):
    """Members are not invited; their role is changed."""


class TooManyOpen(Exception):
    """The organization has as many open invitations as it may have."""


class TooManyInvitations(Exception):
    """Too many in RATE_WINDOW. `wait`: after how many seconds another one is allowed."""

    def __init__(self, wait: int) -> None:
        told = ngettext(
            "This organization has sent too many invitations. Try again in {wait} second.",
            "This organization has sent too many invitations. Try again in {wait} seconds.",
            wait,
        )
        super().__init__(told.format(wait=wait))
        self.wait = wait


# --- Reading ------------------------------------------------------------------------------------


def valid() -> QuerySet[Invitation]:
    """Return the invitations that have not expired, whose makers still may manage there."""
    manages = Membership.objects.filter(
        user=OuterRef("invited_by"), organization=OuterRef("organization"), role__in=MANAGERS
    )
    return Invitation.objects.filter(
        Exists(manages) | Q(invited_by__is_superuser=True),
        Q(token=None) | Q(token__revoked_at=None),
        invited_by__is_active=True,
        expires_at__gt=timezone.now(),
    )


def sent(organizations: QuerySet[Organization]) -> QuerySet[Invitation]:
    """Return what the managers of these organizations see, declined ones included."""
    return valid().filter(organization__in=organizations).select_related("invited_by")


def received(caller: Caller) -> QuerySet[Invitation]:
    """Return the invitations that this user can answer. Raises PermissionDenied."""
    own = valid().filter(username=caller.require_token_owner().get_username(), declined_at=None)
    return own.select_related("organization", "invited_by")


# --- Inviting -----------------------------------------------------------------------------------


@transaction.atomic
def invite(
    organization: Organization, username: str, role: Membership.Role, caller: Caller
) -> Invitation:
    """Invite the user of this name, whether there is one or not.

    It replaces an invitation of the same name: what somebody accepts is what they have read.
    Raises AlreadyMember, TooManyOpen and TooManyInvitations.
    """
    locked = lock_organization(organization, caller.actor, Permission.MANAGE)
    # Of the members only, whom the caller sees.
    if locked.memberships.filter(user__username=username).exists():
        raise AlreadyMember(gettext(ALREADY_A_MEMBER))
    _check_limits(locked, username)
    ended = Q(username=username) | Q(expires_at__lte=timezone.now())
    locked.invitations.filter(ended).delete()
    invitation = Invitation.objects.create(
        organization=locked,
        username=username,
        role=role,
        invited_by=caller.require_token_owner(),
        token=caller.token,
        expires_at=timezone.now() + LIFETIME,
    )
    log_audit(Action.MEMBER_INVITED, locked, caller.actor, _detail(invitation))
    return invitation


def _check_limits(organization: Organization, username: str) -> None:
    """Raises TooManyOpen and TooManyInvitations."""
    others = valid().filter(organization=organization).exclude(username=username)
    if others.count() >= OPEN_PER_ORGANIZATION:
        raise TooManyOpen(gettext(TOO_MANY_OPEN).format(number=OPEN_PER_ORGANIZATION))
    since = timezone.now() - RATE_WINDOW
    made = organization.audit_entries.filter(action=Action.MEMBER_INVITED, at__gt=since)
    times = made.order_by("-at").values_list("at", flat=True)
    for oldest in times[PER_WINDOW - 1 : PER_WINDOW]:
        raise TooManyInvitations(max(1, round((oldest - since).total_seconds())))


@transaction.atomic
def withdraw(organization: Organization, invitation_id: UUID, actor: Actor) -> None:
    """End an invitation. One that has ended stays so."""
    locked = lock_organization(organization, actor, Permission.MANAGE)
    _end(locked.invitations.filter(pk=invitation_id), actor)


@transaction.atomic
def end_invitations_of(organization: Organization, user: User, actor: Actor) -> None:
    """End the invitations that this user made, who may not manage the organization any more.

    The organization is locked: call it in the transaction that takes the right away.
    """
    _end(organization.invitations.filter(invited_by=user), actor)


def _end(invitations: QuerySet[Invitation], actor: Actor) -> None:
    """Delete invitations, and note those that were open."""
    for invitation in invitations.select_related("organization").order_by("created_at", "pk"):
        invitation.delete()
        if invitation.expires_at > timezone.now():
            log_audit(
                Action.INVITATION_WITHDRAWN, invitation.organization, actor, _detail(invitation)
            )


# --- Answering ----------------------------------------------------------------------------------


@transaction.atomic
def accept(invitation_id: UUID, caller: Caller) -> Organization:
    """Make the invited caller a member, and return the organization.

    Raises Invitation.DoesNotExist when there is none of theirs, or none any more.
    """
    invitation = _lock_received(invitation_id, caller)
    organization, user = invitation.organization, caller.require_token_owner()
    invitation.delete()
    _membership, new = Membership.objects.get_or_create(
        organization=organization, user=user, defaults={"role": invitation.role}
    )
    if new:
        detail = f"{_detail(invitation)}, invited by {invitation.invited_by.get_username()}"
        log_audit(Action.MEMBER_ADDED, organization, caller.actor, detail)
    return organization


@transaction.atomic
def decline(invitation_id: UUID, caller: Caller) -> None:
    """Put an invitation of the caller's away. Only administrators of the service read of it.

    Raises Invitation.DoesNotExist when there is none of theirs, or none any more.
    """
    invitation = _lock_received(invitation_id, caller)
    invitation.declined_at = timezone.now()
    invitation.save(update_fields=["declined_at"])
    # Without the organization, whose owners would read that there is such a user.
    detail = f"{invitation.organization.name}: {_detail(invitation)}"
    log_audit(Action.INVITATION_DECLINED, None, caller.actor, detail)


def _lock_received(invitation_id: UUID, caller: Caller) -> Invitation:
    """Lock all that an answer depends on, and return the invitation read again.

    The rights of who made it cannot change meanwhile: that user is locked, too.
    """
    found = received(caller).get(pk=invitation_id)
    now, _organization = lock(caller.actor, found.organization, found.invited_by)
    assert now is not None
    return received(now).get(pk=invitation_id)


def _detail(invitation: Invitation) -> str:
    return f"{invitation.username}: {invitation.role}"
