"""Addresses of people, and what they were told."""

from __future__ import annotations

import asyncio

from django.contrib.auth.models import User
from django.utils import timezone

from notices.actions import planning
from notices.models import Address, Notice, Preferences
from notices.worker import NoticeDuty


def told_at(user: User, mail: str = "", **preferences: object) -> Address:
    """Return a confirmed mail address of a person."""
    if preferences:
        Preferences.objects.update_or_create(user=user, defaults=preferences)
    target = mail or f"{user.get_username()}@example.com"
    now = timezone.now()
    return Address.objects.create(
        user=user, kind="mail", target=target, label=target, confirmed_at=now, on_since=now
    )


def planned() -> list[Notice]:
    """Plan, and return the notices that are new, in order. They have left then."""
    known = Notice.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    planning.plan()
    new = Notice.objects.filter(pk__gt=known)
    new.update(state=Notice.State.SENT)
    return list(new.order_by("pk"))


def send_all() -> None:
    """Do what a worker does, until nothing is due any more."""
    asyncio.run(_send_all())


async def _send_all() -> None:
    duty = NoticeDuty()
    try:
        await duty.advance()
        await duty.until_sent()
    finally:
        await duty.close()
