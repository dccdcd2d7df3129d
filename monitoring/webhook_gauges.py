"""The figures of webhooks over all organizations: what waits, and what was delivered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import (
    BooleanField,
    Count,
    ExpressionWrapper,
    F,
    Min,
    OuterRef,
    Q,
    Subquery,
    Sum,
)
from django.utils import timezone

from events.models import Event
from webhooks.models import Cursor, Endpoint, Total

FAILING = "failing"
STATES = (Endpoint.State.ENABLED, FAILING, Endpoint.State.PAUSED, Endpoint.State.DISABLED)
"""The states of webhooks; those that are enabled and did not take the last event are apart."""


@dataclass
class WebhookFigures:
    """Counts of webhooks by their state, of what waits for them, and of what was delivered."""

    webhooks: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    """Events behind the positions of webhooks; some are of types that they do not get."""
    oldest_seconds: dict[str, float] = field(default_factory=dict)
    totals: list[Total] = field(default_factory=list)


def read() -> WebhookFigures:
    """Read all figures in three queries."""
    figures = WebhookFigures(totals=list(Total.objects.all()))
    rows = Endpoint.objects.present().order_by().values("state", is_failing=_is_failing())
    for row in rows.annotate(count=Count("pk")):
        figures.webhooks[_state(row["state"], row["is_failing"])] += row["count"]
    now = timezone.now()
    for state, is_failing, events, oldest in _waiting():
        name = _state(state, is_failing)
        figures.waiting[name] += events
        seconds = max(0.0, (now - oldest).total_seconds()) if oldest else 0.0
        figures.oldest_seconds[name] = max(seconds, figures.oldest_seconds.get(name, 0.0))
    return figures


def _waiting() -> list[tuple[str, bool, int, datetime | None]]:
    """Return the state of webhooks, the events that wait for them, and the time of the oldest.

    The log is read only at the positions of cursors that are behind, by its index.
    """
    next_event = Event.objects.filter(
        organization=OuterRef("organization"), sequence__gt=OuterRef("position")
    )
    last = F("organization__event_counter__last")
    behind = Cursor.objects.filter(
        kind=Cursor.Kind.LIVE,
        endpoint__deleted_at=None,
        organization__event_counter__last__gt=F("position"),
    )
    groups = (
        behind.order_by()
        .values("endpoint__state", is_failing=_is_failing("endpoint__"))
        .annotate(
            events=Sum(last - F("position")),
            oldest=Min(Subquery(next_event.order_by("sequence").values("at")[:1])),
        )
    )
    return list(groups.values_list("endpoint__state", "is_failing", "events", "oldest"))


def _is_failing(prefix: str = "") -> ExpressionWrapper[Any]:
    failing = Q(**{f"{prefix}failing_since__isnull": False})
    return ExpressionWrapper(failing, output_field=BooleanField())


def _state(state: str, is_failing: bool) -> str:
    return FAILING if is_failing and state == Endpoint.State.ENABLED else state
