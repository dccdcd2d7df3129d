"""Invitations: an owner invites a username to become a member; that user accepts or declines.

The name may also be the mail address of their account, in any case. The inviting owner must not
learn whether there is such an account. So no function that owners call looks the user up: reads,
writes and answers are the same for each name. Owners see a declined invitation as an open one until
it expires.

Like `organizations.actions`, these writers lock, then read and check again.
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

from organizations.access import PERMISSIONS, Actor, Caller, Permission
from organizations.audit import Action, log_audit
from organizations.locks import lock, lock_organization
from organizations.login.accounts import owns_address
from organizations.models import Invitation, Membership, Organization

LIFETIME = timedelta(days=14)
OPEN_PER_ORGANIZATION = 50
RATE_WINDOW = timedelta(days=1)
PER_WINDOW = 100
"""Maximum number of invitations of an organization in RATE_WINDOW."""

MANAGERS = [role for role, permissions in PERMISSIONS.items() if Permission.MANAGE in permissions]
ALREADY_A_MEMBER = _("This user is a member already.")
TOO_MANY_OPEN = _(
    "This organization has {number} open invitations, and may have no more. Withdraw one first."
)


class AlreadyMember(Exception):
    """The invited user is a member already."""


class TooManyOpen(Exception):
    """The organization has OPEN_PER_ORGANIZATION open invitations."""


class TooManyInvitations(Exception):
    """The organization sent PER_WINDOW invitations in RATE_WINDOW. `wait`: seconds to wait."""

    def __init__(self, wait: int) -> None:
        text = ngettext(
            "This organization has sent too many invitations. Try again in {wait} second.",
            "This organization has sent too many invitations. Try again in {wait} seconds.",
            wait,
        )
        super().__init__(text.format(wait=wait))
        self.wait = wait


# --- Reading ------------------------------------------------------------------------------------


def valid() -> QuerySet[Invitation]:
    """Return the unexpired invitations whose inviter still manages the organization."""
    manages = Membership.objects.filter(
        user=OuterRef("invited_by"), organization=OuterRef("organization"), role__in=MANAGERS
    )
    return Invitation.objects.filter(
        Exists(manages) | Q(invited_by__is_superuser=True),
        Q(token=None) | Q(token__revoked_at=None),
        invited_by__is_active=True,
        expires_at__gt=timezone.now(),
        organization__removing_since=None,
    )


def sent(organizations: QuerySet[Organization]) -> QuerySet[Invitation]:
    """Return the invitations that managers of these organizations see, including declined ones."""
    return valid().filter(organization__in=organizations).select_related("invited_by")


def received(caller: Caller) -> QuerySet[Invitation]:
    """Return the invitations that this user can accept or decline. Raises PermissionDenied.

    Those to a mail address are for the one account that it means at the login, too.
    """
    user = caller.require_token_owner()
    names = Q(username=user.get_username())
    if owns_address(user):
        names |= Q(username__iexact=user.email)
    invitations = valid().filter(names, declined_at=None)
    return invitations.select_related("organization", "invited_by")


# --- Inviting -----------------------------------------------------------------------------------


@transaction.atomic
def invite(
    organization: Organization, username: str, role: Membership.Role, caller: Caller
) -> Invitation:
    """Invite a username, whether the user exists or not.

    Replaces an open invitation of the same username by a new row, so that a user accepts exactly
    the invitation that they have read. Raises AlreadyMember, TooManyOpen and TooManyInvitations.
    """
    locked = lock_organization(organization, caller.actor, Permission.MANAGE)
    # Looks among the members only, whom the caller may see. Not at their mail addresses, which the
    # caller may not.
    if locked.memberships.filter(user__username=username).exists():
        raise AlreadyMember(gettext(ALREADY_A_MEMBER))
    _check_limits(locked, username)
    replaced_or_expired = _same_name(username) | Q(expires_at__lte=timezone.now())
    locked.invitations.filter(replaced_or_expired).delete()
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


def _same_name(username: str) -> Q:
    """Match the invitations of this name; case does not count in a mail address."""
    return Q(username__iexact=username) if "@" in username else Q(username=username)


def _check_limits(organization: Organization, username: str) -> None:
    """Raise TooManyOpen or TooManyInvitations if the organization has reached a limit."""
    others = valid().filter(organization=organization).exclude(_same_name(username))
    if others.count() >= OPEN_PER_ORGANIZATION:
        raise TooManyOpen(gettext(TOO_MANY_OPEN).format(number=OPEN_PER_ORGANIZATION))
    since = timezone.now() - RATE_WINDOW
    recent = organization.audit_entries.filter(action=Action.MEMBER_INVITED, at__gt=since)
    times = recent.order_by("-at").values_list("at", flat=True)
    for oldest in times[PER_WINDOW - 1 : PER_WINDOW]:
        raise TooManyInvitations(max(1, round((oldest - since).total_seconds())))


@transaction.atomic
def withdraw(organization: Organization, invitation_id: UUID, actor: Actor) -> None:
    """End an invitation; does nothing if it has ended already."""
    locked = lock_organization(organization, actor, Permission.MANAGE)
    _end(locked.invitations.filter(pk=invitation_id), actor)


@transaction.atomic
def end_invitations_of(organization: Organization, user: User, actor: Actor) -> None:
    """End this user's invitations to an organization that they no longer manage.

    Call it in the transaction that takes the right away, with the organization locked.
    """
    _end(organization.invitations.filter(invited_by=user), actor)


def _end(invitations: QuerySet[Invitation], actor: Actor) -> None:
    """Delete invitations, with an audit entry for each open one."""
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

    Raises Invitation.DoesNotExist when it is not theirs or has ended.
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
    """Decline an invitation. Only superusers see this in the audit log.

    Raises Invitation.DoesNotExist when it is not theirs or has ended.
    """
    invitation = _lock_received(invitation_id, caller)
    invitation.declined_at = timezone.now()
    invitation.save(update_fields=["declined_at"])
    # Without the organization: its owners would learn from the entry that the user exists.
    detail = f"{invitation.organization.name}: {_detail(invitation)}"
    log_audit(Action.INVITATION_DECLINED, None, caller.actor, detail)


def _lock_received(invitation_id: UUID, caller: Caller) -> Invitation:
    """Lock the invited user, the inviter and the organization; return the invitation read again.

    The inviter is locked so that their rights cannot change before the transaction ends.
    """
    found = received(caller).get(pk=invitation_id)
    refreshed, _organization = lock(caller.actor, found.organization, found.invited_by)
    assert refreshed is not None
    return received(refreshed).get(pk=invitation_id)


def _detail(invitation: Invitation) -> str:
    return f"{invitation.username}: {invitation.role}"
