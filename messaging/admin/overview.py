"""What the messages page says above its table: what waits, is held, failed or was lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count
from django.utils import timezone

from messaging import reasons
from messaging.admin.rights import Rights
from messaging.admin.rows import MessageRow, row_of, visible_messages
from messaging.models import ACCEPTED_STATES, FAILED_STATES, Message, MessagingSettings, Outbox
from messaging.queue_reasons import WaitingReasons
from messaging.traffic import Traffic, midnight, traffic_of

State, Direction = Message.State, Message.Direction

# Lost messages are named for so long; a person has to look them up on the phone.
NAME_LOST_FOR = timedelta(days=7)
LOST_SHOWN = 3


@dataclass(frozen=True)
class Overview:
    """`failures`: sentences and counts of today. `lost`: the newest ones, of `lost_count`."""

    today: Traffic
    failures: list[tuple[str, int]]
    unknown: int
    lost: list[MessageRow]
    lost_count: int
    last_in: datetime | None
    last_out: datetime | None
    stopped_at: datetime | None
    replies_only_until: datetime | None


def overview_of(organization_id: int, rights: Rights) -> Overview:
    """Return what the page says about an organization's messages."""
    own = Message.objects.filter(organization=organization_id)
    lost = visible_messages(organization_id, rights).filter(
        state=State.LOST, created_at__gte=timezone.now() - NAME_LOST_FOR
    )
    outbox = Outbox.objects.filter(organization=organization_id).first()
    waiting = WaitingReasons(organization_id)
    return Overview(
        today=traffic_of(organization_id),
        failures=_failures(organization_id),
        unknown=own.filter(state=State.UNKNOWN, created_at__gte=midnight()).count(),
        lost=[row_of(message, rights, waiting) for message in lost[:LOST_SHOWN]],
        lost_count=lost.count(),
        last_in=_newest(own.filter(direction=Direction.IN), "created_at"),
        last_out=_newest(own.filter(direction=Direction.OUT, state__in=ACCEPTED_STATES), "sent_at"),
        stopped_at=MessagingSettings.of(organization_id).sending_stopped_at,
        replies_only_until=outbox.active_replies_only_until if outbox else None,
    )


def _failures(organization_id: int) -> list[tuple[str, int]]:
    """Return why messages of today failed, the most frequent reason first."""
    failed = Message.objects.filter(
        organization=organization_id, state__in=FAILED_STATES, created_at__gte=midnight()
    )
    rows = failed.order_by().values_list("reason").annotate(number=Count("pk"))
    found = [(reasons.sentence(reason), number) for reason, number in rows]
    return sorted(found, key=lambda each: (-each[1], each[0]))


def _newest(messages: Any, column: str) -> datetime | None:
    found: datetime | None = messages.order_by("-created_at").values_list(column, flat=True).first()
    return found
