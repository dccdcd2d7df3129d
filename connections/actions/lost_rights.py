"""What ends with the right or the token that it was begun with: open pairings and owners' links."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.dispatch import receiver
from django.utils import timezone

from connections.actions.owner_links import revoke_unfinished
from connections.actions.requests import locked, request_cancel
from connections.lifecycle import Observation
from connections.models import Connection, ConnectionEvent, OwnerLink
from connections.refusals import NothingToCancel
from organizations import actions
from organizations.access import Actor, Permission, for_user
from organizations.keys import access_ended
from organizations.models import ApiToken, Organization


@receiver(access_ended)
def end_what_lost_its_right(
    sender: Any, user: User | None, tokens: list[ApiToken], actor: Actor, **kwargs: Any
) -> None:
    """End pairings and links of `user` where they may not operate any more, and of `tokens`."""
    if tokens:
        _end(_pairings(begun_token__in=tokens), _links().filter(token__in=tokens), actor)
    if user is not None:
        pairings, links = _pairings(begun_user=user), _links().filter(user=user)
        ids = {*pairings.values_list("pk", flat=True), *links.values_list("connection", flat=True)}
        may = for_user(user).may
        found = Organization.objects.filter(pk__in=ids)
        lost = [place.pk for place in found if not may(Permission.OPERATE, place)]
        _end(pairings.filter(pk__in=lost), links.filter(connection__in=lost), actor)


@transaction.atomic
def revoke_keys_of(user: User, organization: Organization, actor: Actor) -> tuple[int, int]:
    """Revoke what opens this organization and was made by this user: its own tokens and links.

    A pairing that they began ends too. Their membership and the tokens that stand for them are not
    touched. Return how many tokens and how many links were revoked.
    """
    tokens = actions.revoke_tokens_of(user, organization, actor)
    pairings = _pairings(pk=organization.pk, begun_user=user)
    return len(tokens), _end(pairings, unfinished_links(organization).filter(user=user), actor)


def unfinished_links(organization: Organization) -> QuerySet[OwnerLink]:
    """Return the organization's links that open something now, if their maker still may."""
    return _links().filter(connection=organization.pk)


def _pairings(**started_by: Any) -> QuerySet[Connection]:
    """Return the connections for which a phone is being linked, filtered by who began it.

    `begun_user` and `begun_token` are the newest request's.
    """
    requests = ConnectionEvent.objects.filter(
        connection=OuterRef("pk"), observation=Observation.RECONNECT_REQUESTED
    ).order_by("-pk")
    pairing = Connection.objects.pairing().annotate(
        begun_user=Subquery(requests.values("user")[:1]),
        begun_token=Subquery(requests.values("token")[:1]),
    )
    return pairing.filter(**started_by)


def _links() -> QuerySet[OwnerLink]:
    """Return the links that are neither revoked nor over."""
    now, pairing = timezone.now(), 2 * timedelta(seconds=settings.PAIRING_TIMEOUT_SECONDS)
    running = Q(used_at=None, expires_at__gt=now) | Q(used_at__gt=now - pairing)
    return OwnerLink.objects.filter(running, revoked_at=None)


def _end(pairings: QuerySet[Connection], links: Iterable[OwnerLink], actor: Actor) -> int:
    """End these, in the order of their connections. Return how many links were revoked."""
    revoked = 0
    found = list(links)
    ids = {*pairings.values_list("pk", flat=True), *(link.connection_id for link in found)}
    for pk in sorted(ids):
        connection = locked(pk)
        for link in found:
            if link.connection_id == pk:
                revoked += revoke_unfinished(link, connection, actor)
        # Looked at again under the lock: somebody else may have begun another one.
        if pairings.filter(pk=pk).exists():
            with suppress(NothingToCancel):
                request_cancel(pk, actor)
    return revoked
