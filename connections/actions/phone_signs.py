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
    SilenceLevel,
    last_heard_before,
    threshold_of,
)
from events import log, troubles
from events.log import NewEvent
from events.models import EventType
from events.troubles import TroubleReport

# A sign is written if it is so much newer than the one before.
STEP = timedelta(hours=1)

TROUBLE = "phone_silent"
SILENCE_FIELDS = ("pk", "store_name", "phone_seen_at", "phone_silence_told")


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
    told = Connection.objects.exclude(phone_silence_told=0)
    over = told.filter(~last_heard_before(WARN_DAYS) | Q(store_name=""))
    for rows in (silent, over):
        found = rows.order_by("pk").values_list(*SILENCE_FIELDS)
        for pk, store_name, seen_at, told_days in found:
            if _days_to_tell(store_name, seen_at) != told_days:
                _announce(pk)


def _days_to_tell(store_name: str, seen_at: datetime | None) -> int:
    """Return the days of silence to announce; without a login there is no phone to look after."""
    return threshold_of(seen_at) if store_name else 0


@transaction.atomic
def _announce(connection_id: int) -> None:
    connection = Connection.objects.select_for_update().filter(pk=connection_id).first()
    if connection is None:
        return
    days = _days_to_tell(connection.store_name, connection.phone_seen_at)
    if days == connection.phone_silence_told:
        return
    connection.phone_silence_told = days
    connection.save(update_fields=["phone_silence_told"])
    if days:
        _report_silence(connection, days)
    else:
        _report_end(connection)
    broadcast.notify_changed(connection_id)


def _report_silence(connection: Connection, days: int) -> None:
    seen_at = connection.phone_seen_at
    assert seen_at is not None
    values = {"days": str(days), "limit": str(UNLINK_DAYS)}
    data = {
        "level": SilenceLevel.ACTION_NEEDED if days >= ACTION_DAYS else SilenceLevel.WARNING,
        "days": days,
        "phoneLastSeenAt": seen_at.isoformat(),
        "sentence": NOTICE.format_map(values),
    }
    log.append(connection.pk, [NewEvent(EventType.PHONE_SILENT, data)])
    page = reverse("admin:connections_connection_change", args=[connection.pk])
    needs_action = days >= ACTION_DAYS
    trouble = TroubleReport(
        connection.pk, TROUBLE, NOTICE, NEXT_STEP, page, "", values, needs_action
    )
    troubles.begin(trouble)


def _report_end(connection: Connection) -> None:
    """Report that the phone was heard from; of one that is not linked any more, nothing."""
    seen_at = connection.phone_seen_at if connection.store_name else None
    if seen_at is not None:
        data = {"phoneLastSeenAt": seen_at.isoformat()}
        log.append(connection.pk, [NewEvent(EventType.PHONE_SEEN, data)])
    troubles.end(connection.pk, TROUBLE, recovered=seen_at is not None)
