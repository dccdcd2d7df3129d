"""What ends with a person's right or with a token: the tokens made with it, and what others add.

`access_ended` is sent in the transaction in which the right ends; an app whose rows a right has
opened (pairings, links for a phone's owner) ends them in its receiver.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.dispatch import Signal
from django.utils import timezone

from organizations.access import Permission, for_user
from organizations.actors import Actor
from organizations.audit import Action, log_audit
from organizations.invitations import end_invitations_of
from organizations.models import ApiToken, Organization

access_ended = Signal()
"""Keyword arguments: `user`, whose rights were taken away somewhere, or None; `tokens`, a list of
tokens that were revoked; `actor`, who did it. An exception of a receiver undoes the change."""


def tokens_made_in(organization: Organization, user: User | None = None) -> QuerySet[ApiToken]:
    """Return the organization's own valid tokens, the oldest first; only those a user made."""
    found = _valid(ApiToken.objects.filter(organization=organization))
    return found if user is None else found.filter(user=user)


def own_tokens(user: User | None = None) -> QuerySet[ApiToken]:
    """Return the valid tokens that stand for users, or for this one, the oldest first."""
    found = _valid(ApiToken.objects.filter(organization=None))
    return found if user is None else found.filter(user=user)


def _valid(tokens: QuerySet[ApiToken]) -> QuerySet[ApiToken]:
    unexpired = Q(expiry=None) | Q(expiry__gt=timezone.now())
    return tokens.filter(unexpired, revoked_at=None).order_by("created", "pk")


def revoke_trees(roots: Iterable[ApiToken], actor: Actor) -> list[ApiToken]:
    """Revoke tokens, all tokens made with them, and with those. Return the tokens revoked now.

    The user who made them is locked, so that no token is added to a tree meanwhile.
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
        made = ApiToken.objects.filter(made_by__in=level).exclude(pk__in=seen)
        level = list(made.select_related("organization").order_by("created", "pk"))
    if revoked:
        access_ended.send(sender=ApiToken, user=None, tokens=revoked, actor=actor)
    return revoked


def end_keys(
    user: User, organizations: Sequence[Organization], actor: Actor, *, revoke_tokens: bool
) -> list[ApiToken]:
    """End what this user's right in these organizations had opened and no longer opens.

    Called after the change, in its transaction, with the user locked. Where they manage no more,
    that is their invitations, and with `revoke_tokens` the organizations' own tokens that they
    made. Return the tokens revoked now.
    """
    user = User.objects.get(pk=user.pk)
    lost: list[ApiToken] = []
    for organization in organizations:
        if for_user(user).may(Permission.MANAGE, organization):
            continue
        end_invitations_of(organization, user, actor)
        if revoke_tokens:
            lost += tokens_made_in(organization, user).select_related("organization")
    revoked = revoke_trees(lost, actor)
    access_ended.send(sender=User, user=user, tokens=[], actor=actor)
    return revoked
