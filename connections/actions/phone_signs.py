"""Signs of the phone itself, and its silence. See connections/phone_silence.py."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.urls import reverse

from connections import broadcast
from connections.actions.transitions import Fence
from connections.lifecycle import State
from connections.models import Connection, conditions
from connections.phone_silence import (
    ACTION_DAYS,
    NEXT_STEP,
    NOTICE,
    UNLINK_DAYS,
    WARN_DAYS,
    last_heard_before,
    threshold_of,
)
from events import troubles
from events.troubles import Trouble

# A sign is written if it is so much newer than the one before.
STEP = timedelta(hours=1)

TROUBLE = "phone_silent"


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
    """Report the phones that are silent for 10 or 12 days, and those that are back, each once."""
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
    days = threshold_of(connection.phone_seen_at)
    if days == connection.phone_silence_told:
        return
    connection.phone_silence_told = days
    connection.save(update_fields=["phone_silence_told"])
    _report(connection_id, days)
    broadcast.notify_changed(connection_id)


def _report(connection_id: int, days: int) -> None:
    if not days:
        troubles.end(connection_id, TROUBLE, recovered=True)
        return
    page = reverse("admin:connections_connection_change", args=[connection_id])
    values = {"days": str(days), "limit": str(UNLINK_DAYS)}
    needs_action = days >= ACTION_DAYS
    trouble = Trouble(connection_id, TROUBLE, NOTICE, NEXT_STEP, page, "", values, needs_action)
    troubles.begin(trouble)
