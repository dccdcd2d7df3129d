"""How many messages a token may ask for, and how many one person may be sent, in a while.

They protect people and the installation from software that has gone wrong; what WhatsApp bears is
the matter of the pacing (actions/dispatch.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from messaging.models import Contact, Message
from messaging.refusals import MessageRefused, TooManyForToken, TooManyToRecipient
from organizations.access import Actor

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def check_token(actor: Actor) -> None:
    """Raise TooManyForToken if the caller's token has asked for too many messages."""
    if actor.token is not None:
        asked = Message.objects.filter(token=actor.token)
        _check(asked, MINUTE, settings.MESSAGES_PER_TOKEN, TooManyForToken)


def check_recipient(contact: Contact) -> None:
    """Raise TooManyToRecipient if too many messages for this person were accepted."""
    sent = contact.messages.filter(direction=Message.Direction.OUT)
    now = timezone.now()
    counts = sent.filter(created_at__gt=now - DAY).aggregate(
        minute=Count("pk", filter=Q(created_at__gt=now - MINUTE)), day=Count("pk")
    )
    if counts["minute"] >= settings.MESSAGES_PER_RECIPIENT:
        _check(sent, MINUTE, settings.MESSAGES_PER_RECIPIENT, TooManyToRecipient)
    if counts["day"] >= settings.MESSAGES_PER_RECIPIENT_A_DAY:
        _check(sent, DAY, settings.MESSAGES_PER_RECIPIENT_A_DAY, TooManyToRecipient)


def _check(
    messages: QuerySet[Message], window: timedelta, limit: int, refusal: type[MessageRefused]
) -> None:
    """Raise a refusal if `limit` of the messages were accepted within the window."""
    now = timezone.now()
    times = messages.filter(created_at__gt=now - window).order_by("-created_at")
    oldest: list[datetime] = list(times.values_list("created_at", flat=True)[limit - 1 : limit])
    if oldest:
        wait = oldest[0] + window - now
        raise refusal(retry_after=max(1, round(wait.total_seconds())))
