"""End pairings and owner links when the right or token they were made with has ended."""

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
from connections.actions.requests import lock_connection, request_cancel
from connections.lifecycle import Observation
from connections.models import Connection, ConnectionEvent, OwnerLink
from connections.refusals import NothingToCancel
from organizations import actions
from organizations.access import Actor, Permission, for_user
from organizations.models import ApiToken, Organization
from organizations.revocation import access_ended


@receiver(access_ended)
def end_pairings_and_links(
    sender: Any, user: User | None, tokens: list[ApiToken], actor: Actor, **kwargs: Any
) -> None:
    """End the pairings and links of `tokens`, and of `user` where they may not operate any more."""
    if tokens:
        _end(_pairings(request_token__in=tokens), _links().filter(token__in=tokens), actor)
    if user is not None:
        pairings, links = _pairings(request_user=user), _links().filter(user=user)
        ids = {*pairings.values_list("pk", flat=True), *links.values_list("connection", flat=True)}
        may = for_user(user).may
        organizations = Organization.objects.filter(pk__in=ids)
        lost = [each.pk for each in organizations if not may(Permission.OPERATE, each)]
        _end(pairings.filter(pk__in=lost), links.filter(connection__in=lost), actor)


@transaction.atomic
def revoke_keys(user: User, organization: Organization, actor: Actor) -> tuple[int, int]:
    """Revoke the organization's tokens and owner links that this user made.

    Also end a pairing that they requested. Leave their membership and their personal tokens.
    Return how many tokens and how many links were revoked.
    """
    tokens = actions.revoke_tokens_of(user, organization, actor)
    pairings = _pairings(pk=organization.pk, request_user=user)
    return len(tokens), _end(pairings, unfinished_links(organization).filter(user=user), actor)


def unfinished_links(organization: Organization) -> QuerySet[OwnerLink]:
    """Return the organization's links that are not over. `is_open` also checks their makers."""
    return _links().filter(connection=organization.pk)


def _pairings(**filters: Any) -> QuerySet[Connection]:
    """Return the connections that are pairing, filtered by who requested it.

    Filters: `request_user` and `request_token`, those of the newest request, and any field.
    """
    requests = ConnectionEvent.objects.filter(
        connection=OuterRef("pk"), observation=Observation.RECONNECT_REQUESTED
    ).order_by("-pk")
    pairing = Connection.objects.pairing().annotate(
        request_user=Subquery(requests.values("user")[:1]),
        request_token=Subquery(requests.values("token")[:1]),
    )
    return pairing.filter(**filters)


def _links() -> QuerySet[OwnerLink]:
    """Return the links that are neither revoked nor too old to be used, with those that linked."""
    now, pairing = timezone.now(), 2 * timedelta(seconds=settings.PAIRING_TIMEOUT_SECONDS)
    running = Q(expires_at__gt=now) | Q(used_at__gt=now - pairing)
    return OwnerLink.objects.filter(running, revoked_at=None)


def _end(pairings: QuerySet[Connection], links: Iterable[OwnerLink], actor: Actor) -> int:
    """End these, in the order of their connections. Return how many links were revoked."""
    revoked = 0
    links = list(links)
    ids = {*pairings.values_list("pk", flat=True), *(link.connection_id for link in links)}
    for pk in sorted(ids):
        connection = lock_connection(pk)
        for link in links:
            if link.connection_id == pk:
                revoked += revoke_unfinished(link, connection, actor)
        # Check again under the lock: somebody else may have started another pairing.
        if pairings.filter(pk=pk).exists():
            with suppress(NothingToCancel):
                request_cancel(pk, actor)
    return revoked
