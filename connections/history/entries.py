"""An organization's history: its connection's events and its audit entries, merged by time."""

from __future__ import annotations

import base64
import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import itemgetter
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware

from connections.models import ConnectionEvent
from organizations.models import AuditEntry

CONNECTION, AUDIT = "connection", "audit"

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, order=True)
class Position:
    """The position of a line in the history. New lines do not change it."""

    at: datetime
    kind: str
    number: int

    @property
    def cursor(self) -> str:
        """The position as clients send it back."""
        text = f"{self.at.isoformat()} {self.kind} {self.number}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parse_cursor(cursor: str) -> Position:
    """Return the position that a cursor names. Raises ValueError."""
    padded = cursor + "=" * (-len(cursor) % 4)
    text = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode()
    at_text, kind, number = text.split(" ")
    at = parse_datetime(at_text)
    if at is None or not is_aware(at) or kind not in (CONNECTION, AUDIT):
        raise ValueError(cursor)
    return Position(at, kind, int(number))


@dataclass(frozen=True)
class LineQuery:
    """Which lines of an organization to read."""

    organization_id: int
    kinds: frozenset[str]
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: Position | None = None


def lines(query: LineQuery, count: int) -> list[tuple[Position, ConnectionEvent | AuditEntry]]:
    """Return the newest `count` lines that match the query, the newest first."""
    sources: list[Iterable[tuple[Position, ConnectionEvent | AuditEntry]]] = []
    if CONNECTION in query.kinds:
        events = ConnectionEvent.objects.filter(connection_id=query.organization_id)
        if query.reason is not None:
            events = events.filter(reason=query.reason)
        sources.append(_matching(events, CONNECTION, query, count))
    if AUDIT in query.kinds and query.reason is None:
        entries = AuditEntry.objects.filter(organization_id=query.organization_id)
        sources.append(_matching(entries, AUDIT, query, count))
    return list(islice(heapq.merge(*sources, key=itemgetter(0), reverse=True), count))


def _matching(
    rows: QuerySet[Row], kind: str, query: LineQuery, count: int
) -> Iterable[tuple[Position, Any]]:
    if query.since is not None:
        rows = rows.filter(at__gte=query.since)
    if query.until is not None:
        rows = rows.filter(at__lt=query.until)
    if (before := query.before) is not None:
        earlier = Q(at__lt=before.at)
        if kind < before.kind:
            earlier |= Q(at=before.at)
        elif kind == before.kind:
            earlier |= Q(at=before.at, pk__lt=before.number)
        rows = rows.filter(earlier)
    page: Any = rows.order_by("-at", "-pk")[:count]
    return [(Position(row.at, kind, row.pk), row) for row in page]
