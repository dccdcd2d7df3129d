"""Revocation of tokens and invitations when a user loses a right or a token is revoked.

`access_ended` is sent in the transaction in which the right ends. Other apps end their own rows in
a receiver: `connections` ends pairings and owner's links.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.dispatch import Signal
from django.utils import timezone

from organizations.access import Actor, Permission, for_user
from organizations.audit import Action, log_audit
from organizations.invitations import end_invitations_of
from organizations.models import ApiToken, Organization

access_ended = Signal()
"""Keyword arguments: `user`, who lost a right, or None; `tokens`, the list of revoked tokens;
`actor`, who made the change. An exception in a receiver rolls the change back."""


def organization_tokens(organization: Organization, user: User | None = None) -> QuerySet[ApiToken]:
    """Return the organization's own valid tokens, oldest first; optionally of one creator."""
    found = _valid(ApiToken.objects.filter(organization=organization))
    return found if user is None else found.filter(user=user)


def personal_tokens(user: User | None = None) -> QuerySet[ApiToken]:
    """Return the valid personal tokens of all users, or of this one, oldest first."""
    found = _valid(ApiToken.objects.filter(organization=None))
    return found if user is None else found.filter(user=user)


def _valid(tokens: QuerySet[ApiToken]) -> QuerySet[ApiToken]:
    unexpired = Q(expiry=None) | Q(expiry__gt=timezone.now())
    return tokens.filter(unexpired, revoked_at=None).order_by("created", "pk")


def revoke_trees(roots: Iterable[ApiToken], actor: Actor) -> list[ApiToken]:
    """Revoke tokens and, recursively, the tokens created with them. Return the newly revoked ones.

    The user who created them must be locked, so that no token is added to a tree meanwhile.
    """
    revoked: list[ApiToken] = []
    level = list(roots)
    seen: set[str] = set()
    while level:
        seen.update(found.pk for found in level)
        for found in level:
            valid = ApiToken.objects.filter(pk=found.pk, revoked_at=None)
            if valid.update(revoked_at=timezone.now()):
                log_audit(Action.TOKEN_REVOKED, found.organization, actor, found.name)
                revoked.append(found)
        children = ApiToken.objects.filter(made_by__in=level).exclude(pk__in=seen)
        level = list(children.select_related("organization").order_by("created", "pk"))
    if revoked:
        access_ended.send(sender=ApiToken, user=None, tokens=revoked, actor=actor)
    return revoked


def revoke_lost_access(
    user: User,
    organizations: Sequence[Organization],
    actor: Actor,
    *,
    revoke_tokens: bool,
    kept_tokens: Collection[UUID] = (),
) -> list[ApiToken]:
    """Revoke what this user no longer has a right to in these organizations.

    Where they no longer manage the organization, ends their invitations, and with `revoke_tokens`
    revokes the organization's own tokens that they created, but those with the numbers
    `kept_tokens`. Call it after the change, in its transaction, with the user locked. Returns the
    newly revoked tokens.
    """
    user = User.objects.get(pk=user.pk)
    lost: list[ApiToken] = []
    for organization in organizations:
        if for_user(user).may(Permission.MANAGE, organization):
            continue
        end_invitations_of(organization, user, actor)
        if revoke_tokens:
            found = organization_tokens(organization, user).exclude(number__in=kept_tokens)
            lost += found.select_related("organization")
    revoked = revoke_trees(lost, actor)
    access_ended.send(sender=User, user=user, tokens=[], actor=actor)
    return revoked
