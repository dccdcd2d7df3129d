"""The only writers of invitations of colleagues. Each change adds an audit entry.

Nothing of the account exists until the link sets its password. Then the inviter's right is checked
again, under a lock.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_noop as _

from organizations.access import SUPERUSER_REQUIRED, Actor
from organizations.audit import Action, log_audit
from organizations.locks import lock
from organizations.models import (
    AuditEntry,
    ColleagueInvitation,
    Invitation,
    Membership,
    Organization,
)
from organizations.secret_links import hash_secret

LIFETIME = timedelta(days=3)
RATE_WINDOW = timedelta(days=1)
PER_WINDOW = 100
"""Maximum number of invitations of all administrators in RATE_WINDOW, with those sent again."""
SECRET_BYTES = 20
USED_KEPT = timedelta(days=90)
"""For so long the page of a link that was used says so."""

MAIL_TAKEN = _("There is an account with this mail address already.")
OVER = _("This invitation is no longer valid. Ask for a new one.")
EXPIRED = _("This invitation was valid until {time}. Ask {name} for a new one.")

Role = ColleagueInvitation.Role


class MailTaken(Exception):
    """An account has this mail address, or this username."""

    def __init__(self) -> None:
        super().__init__(gettext(MAIL_TAKEN))


class InvitationOver(Exception):
    """The link is unknown, used, expired or revoked, or its maker is no administrator any more."""

    def __init__(self) -> None:
        super().__init__(gettext(OVER))


class InvitationUsed(InvitationOver):
    """The account was made with this link already."""


class InvitationExpired(InvitationOver):
    """The link was not used in time. The message says who made it."""

    def __init__(self, invitation: ColleagueInvitation) -> None:
        inviter = invitation.invited_by
        time = date_format(localtime(invitation.expires_at), "SHORT_DATETIME_FORMAT")
        name = inviter.get_full_name() or inviter.get_username()
        Exception.__init__(self, gettext(EXPIRED).format(time=time, name=name))


class LinkMadeMeanwhile(Exception):
    """A link was made after the page that asks for one; a new one would make it void."""

    def __init__(self, invitation: ColleagueInvitation) -> None:
        super().__init__()
        self.invitation = invitation


class TooManyColleagueInvitations(Exception):
    """PER_WINDOW invitations were made in RATE_WINDOW."""

    def __init__(self, wait: timedelta) -> None:
        hours = max(1, round(wait.total_seconds() / 3600))
        text = ngettext(
            "Too many invitations. Try again in {hours} hour.",
            "Too many invitations. Try again in {hours} hours.",
            hours,
        )
        super().__init__(text.format(hours=hours))


@dataclass(frozen=True)
class Colleague:
    """Who is invited, and to what. `organizations` counts without `all_organizations`."""

    name: str
    email: str
    role: ColleagueInvitation.Role
    all_organizations: bool = False
    organizations: Collection[Organization] = ()


def find(secret: str) -> ColleagueInvitation | None:
    """Return the invitation whose link has this secret, if it can be accepted."""
    return _valid().filter(secret_hash=hash_secret(secret)).first()


def why_over(secret: str) -> InvitationOver | None:
    """Return why a link cannot be accepted any more; None for one that was never made, or revoked.

    Only who was sent the link knows its secret, so the answer tells nobody else of an account.
    """
    rows = ColleagueInvitation.objects.select_related("invited_by")
    invitation = rows.filter(secret_hash=hash_secret(secret)).first()
    if invitation is None:
        return None
    if invitation.accepted_at is not None:
        return InvitationUsed()
    return InvitationExpired(invitation) if invitation.expired else InvitationOver()


def waiting() -> QuerySet[ColleagueInvitation]:
    """Return the invitations that were neither used nor revoked, also those that have expired."""
    return ColleagueInvitation.objects.filter(accepted_at=None).select_related("invited_by")


def account_exists(email: str) -> bool:
    """Return whether an account has this mail address or username."""
    return User.objects.filter(Q(username__iexact=email) | Q(email__iexact=email)).exists()


@transaction.atomic
def invite(
    colleague: Colleague, actor: Actor, seen: str | None = None
) -> tuple[ColleagueInvitation, str]:
    """Invite a colleague. Return the invitation with its secret, which is not stored.

    Replaces an earlier invitation of the same address. `seen`: the `link_version` of that one, ""
    if the actor knows of none; a link that works and is another one is not replaced.

    Raises MailTaken, LinkMadeMeanwhile, TooManyColleagueInvitations and PermissionDenied.
    """
    inviter = _require_administrator(actor)
    email = colleague.email.lower()
    if account_exists(email):
        raise MailTaken
    _check_seen(_valid().filter(email=email).first(), seen)
    _check_limit()
    old = Q(accepted_at__lt=timezone.now() - USED_KEPT)
    ColleagueInvitation.objects.filter(Q(email=email) | old).delete()
    secret, now = secrets.token_hex(SECRET_BYTES), timezone.now()
    invitation = ColleagueInvitation.objects.create(
        secret_hash=hash_secret(secret),
        name=colleague.name,
        email=email,
        role=colleague.role,
        all_organizations=colleague.all_organizations or colleague.role == Role.ADMINISTRATOR,
        invited_by=inviter,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    if not invitation.all_organizations:
        invitation.organizations.set(colleague.organizations)
    log_audit(Action.COLLEAGUE_INVITED, None, actor, _detail(invitation))
    return invitation, secret


@transaction.atomic
def invite_again(
    invitation_id: int, actor: Actor, seen: str | None = None
) -> tuple[ColleagueInvitation, str]:
    """Give an invitation a new secret and its whole lifetime; the link before is void.

    `seen`: see `invite`. Raises ColleagueInvitation.DoesNotExist, LinkMadeMeanwhile,
    TooManyColleagueInvitations and PermissionDenied.
    """
    inviter = _require_administrator(actor)
    invitation = ColleagueInvitation.objects.select_for_update().get(
        pk=invitation_id, accepted_at=None
    )
    _check_seen(invitation, seen)
    _check_limit()
    secret = secrets.token_hex(SECRET_BYTES)
    invitation.secret_hash = hash_secret(secret)
    invitation.invited_by = inviter
    invitation.expires_at = timezone.now() + LIFETIME
    invitation.save(update_fields=["secret_hash", "invited_by", "expires_at"])
    log_audit(Action.COLLEAGUE_INVITED, None, actor, _detail(invitation))
    return invitation, secret


@transaction.atomic
def revoke(invitation_id: int, actor: Actor) -> None:
    """End an invitation; does nothing if it has ended. Raises PermissionDenied."""
    _require_administrator(actor)
    open_ones = ColleagueInvitation.objects.filter(pk=invitation_id, accepted_at=None)
    for invitation in open_ones.select_for_update():
        log_audit(Action.COLLEAGUE_INVITATION_REVOKED, None, actor, _detail(invitation))
        invitation.delete()


def accept(secret: str, password: str, address: str | None) -> User:
    """Make the account with this password and its memberships, and return it.

    Raises InvitationOver and MailTaken; then nothing has changed.
    """
    # Before the locks: it takes long on purpose.
    hashed = make_password(password)
    try:
        with transaction.atomic():
            return _accept(secret, hashed, address)
    except IntegrityError as error:
        # Somebody made an account with this name in the same moment.
        raise MailTaken from error


def _accept(secret: str, hashed: str, address: str | None) -> User:
    found = find(secret)
    if found is None:
        raise InvitationOver
    # So that the inviter's right cannot end before this transaction.
    lock(Actor("", found.invited_by), None)
    invitation = _valid().select_for_update(of=("self",)).filter(pk=found.pk).first()
    if invitation is None or invitation.secret_hash != hash_secret(secret):
        raise InvitationOver
    if account_exists(invitation.email):
        raise MailTaken
    user = User(
        username=invitation.email,
        email=invitation.email,
        first_name=invitation.name,
        password=hashed,
        is_staff=True,
        is_superuser=invitation.role == Role.ADMINISTRATOR,
    )
    user.save()
    actor = Actor(user.get_username(), user, address=address)
    inviter = invitation.invited_by.get_username()
    log_audit(Action.COLLEAGUE_JOINED, None, actor, f"{_detail(invitation)}, invited by {inviter}")
    if not user.is_superuser:
        _add_memberships(invitation, user, actor)
    invitation.organizations.clear()
    invitation.accepted_at = timezone.now()
    invitation.save(update_fields=["accepted_at"])
    return user


def _add_memberships(invitation: ColleagueInvitation, user: User, actor: Actor) -> None:
    everything = invitation.all_organizations
    chosen = Organization.objects.all() if everything else invitation.organizations.all()
    organizations = list(chosen.filter(removing_since=None))
    role = Membership.Role(invitation.role)
    Membership.objects.bulk_create(
        Membership(organization=each, user=user, role=role) for each in organizations
    )
    # An open invitation would offer what the user already has.
    name = user.get_username()
    Invitation.objects.filter(username__iexact=name, organization__in=organizations).delete()
    detail = f"{name}: {role}, invited by {invitation.invited_by.get_username()}"
    for each in organizations:
        log_audit(Action.MEMBER_ADDED, each, actor, detail)


def _valid() -> QuerySet[ColleagueInvitation]:
    """Return the unused, unexpired invitations whose inviter is still an administrator."""
    return waiting().filter(
        expires_at__gt=timezone.now(), invited_by__is_active=True, invited_by__is_superuser=True
    )


def _require_administrator(actor: Actor) -> User:
    """Lock and return the administrator who asks. Raises PermissionDenied."""
    caller, _organization = lock(actor, None)
    if caller is None or actor.user is None:
        raise PermissionDenied(gettext(SUPERUSER_REQUIRED))
    caller.require_superuser()
    return actor.user


def _check_seen(invitation: ColleagueInvitation | None, seen: str | None) -> None:
    """Raise LinkMadeMeanwhile if the link is another one than the actor knows of."""
    if invitation is not None and seen is not None and invitation.link_version != seen:
        raise LinkMadeMeanwhile(invitation)


def _check_limit() -> None:
    """Raise TooManyColleagueInvitations if PER_WINDOW were made in RATE_WINDOW."""
    since = timezone.now() - RATE_WINDOW
    recent = AuditEntry.objects.filter(action=Action.COLLEAGUE_INVITED, at__gt=since)
    made = recent.order_by("-at").values_list("at", flat=True)
    for oldest in made[PER_WINDOW - 1 : PER_WINDOW]:
        raise TooManyColleagueInvitations(oldest - since)


def _detail(invitation: ColleagueInvitation) -> str:
    return f"{invitation.email}: {invitation.role}"
