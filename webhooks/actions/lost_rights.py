"""Pause endpoints when the right or the token that they were made with has ended."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.dispatch import receiver
from django.utils import timezone

from organizations.access import Actor, for_user
from organizations.models import ApiToken
from organizations.revocation import access_ended
from webhooks.actions.states import change_state
from webhooks.models import Endpoint
from webhooks.rights import Right, may

EXPIRY = Actor("token expiry")


@receiver(access_ended)
def pause_endpoints(
    sender: Any, user: User | None, tokens: list[ApiToken], actor: Actor, **kwargs: Any
) -> None:
    """Pause the endpoints of `tokens`, and of `user` where they may not edit them any more.

    Like a token, an endpoint would tell what its maker may not read any more. An owner who enables
    it again answers for it from then on.
    """
    if tokens:
        _pause(_enabled().filter(token__in=tokens), actor)
    if user is not None:
        caller = for_user(user)
        found = _enabled().filter(user=user).select_related("organization")
        lost = [row.pk for row in found if not may(caller, row.organization, Right.MANAGE)]
        _pause(Endpoint.objects.filter(pk__in=lost), actor)


@transaction.atomic
def pause_expired() -> None:
    """Pause the endpoints whose token has expired."""
    _pause(_enabled().filter(token__expiry__lte=timezone.now()), EXPIRY)


def _enabled() -> QuerySet[Endpoint]:
    return Endpoint.objects.present().filter(state=Endpoint.State.ENABLED)


def _pause(endpoints: QuerySet[Endpoint], actor: Actor) -> None:
    ids = list(endpoints.order_by("pk").values_list("pk", flat=True))
    locked = Endpoint.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=ids)
    for endpoint in locked.order_by("pk").select_related("organization"):
        if endpoint.state == Endpoint.State.ENABLED:
            reason = Endpoint.Reason.MAKER_LOST_RIGHT
            change_state(endpoint, Endpoint.State.PAUSED, reason, actor)
