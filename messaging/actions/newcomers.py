"""Remembers who has put the newcomer's card away."""

from __future__ import annotations

from django.contrib.auth.models import User

from messaging.models import PutAwayCard


def put_card_away(user: User) -> None:
    """Do not show this person the newcomer's card any more."""
    PutAwayCard.objects.get_or_create(user=user)
