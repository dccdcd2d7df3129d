"""The figures of notices to all people: what waits, what was given up, and what is over."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from django.db.models import Count

from notices.models import Notice, Total

State = Notice.State

ENDS = (State.SENT, State.FAILED, State.DROPPED)


@dataclass
class NoticeFigures:
    """Counts of notices: those that are open by state, and the totals of those that are over."""

    open: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)


def read() -> NoticeFigures:
    """Read all figures in two queries."""
    rows = Notice.objects.filter(state__in=[State.WAITING, State.FAILED]).order_by()
    counts = rows.values_list("state").annotate(Count("pk"))
    return NoticeFigures(
        Counter(dict(counts)), Counter(dict(Total.objects.values_list("state", "count")))
    )
