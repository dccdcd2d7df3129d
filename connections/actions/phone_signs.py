"""Signs of the phone itself, and its silence. See connections/phone_silence.py."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.dispatch import Signal

from connections import broadcast
from connections.actions.transitions import Fence
from connections.lifecycle import State
from connections.models import Connection, conditions
from connections.phone_silence import WARN_DAYS, last_heard_before, threshold_of

# A sign is written if it is so much newer than the one before.
STEP = timedelta(hours=1)

phone_silent = Signal()
"""Sent once in the transaction that records it. Keyword arguments: `organization_id`; `days`, 10
or 12, or 0 for a phone that was announced and is heard from again; `seen_at`. An exception in a
receiver rolls it back, and it is sent again."""


def record_phone_sign(fence: Fence, at: datetime) -> None:
    """Record when the phone showed a sign; one that is hardly newer than the last is not written.

    It holds for any request of the connection's owner, and only goes forward.
    """
    rows = Connection.objects.filter(pk=fence.connection_id, claim=fence.claim)
    outdated = Q(phone_seen_at=None) | Q(phone_seen_at__lt=at - STEP)
    with transaction.atomic():
        if rows.filter(outdated).update(phone_seen_at=at):
            broadcast.notify_changed(fence.connection_id)


def announce_phone_silences() -> None:
    """Announce the phones that are silent for 10 or 12 days, and those that are back, each once."""
    linked = Connection.objects.filter(conditions.ACTIVE, state=State.CONNECTED)
    silent = linked.filter(last_heard_before(WARN_DAYS))
    back = Connection.objects.exclude(phone_silence_told=0).exclude(last_heard_before(WARN_DAYS))
    for rows in (silent, back):
        found = rows.order_by("pk").values_list("pk", "phone_seen_at", "phone_silence_told")
        for pk, seen_at, told in found:
            if threshold_of(seen_at) != told:
                _announce(pk)


@transaction.atomic
def _announce(connection_id: int) -> None:
    connection = Connection.objects.select_for_update().filter(pk=connection_id).first()
    if connection is None:
        return
    seen_at = connection.phone_seen_at
    days = threshold_of(seen_at)
    if days == connection.phone_silence_told:
        return
    connection.phone_silence_told = days
    connection.save(update_fields=["phone_silence_told"])
    phone_silent.send(sender=Connection, organization_id=connection_id, days=days, seen_at=seen_at)
    broadcast.notify_changed(connection_id)
