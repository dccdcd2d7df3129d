"""An organization's two histories as one: what its connection did, and who changed what of it."""

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
class Place:
    """Where a line stands. A place stays what it is, whatever is added before it."""

    at: datetime
    kind: str
    number: int

    @property
    def cursor(self) -> str:
        """The place as clients hand it back."""
        text = f"{self.at.isoformat()} {self.kind} {self.number}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_of(cursor: str) -> Place:
    """The place that a cursor names. Raises ValueError."""
    padded = cursor + "=" * (-len(cursor) % 4)
    text = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode()
    at_text, kind, number = text.split(" ")
    at = parse_datetime(at_text)
    if at is None or not is_aware(at) or kind not in (CONNECTION, AUDIT):
        raise ValueError(cursor)
    return Place(at, kind, int(number))


@dataclass(frozen=True)
class Wanted:
    """Which lines."""

    organization_id: int
    kinds: frozenset[str]
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: Place | None = None


def lines(wanted: Wanted, count: int) -> list[tuple[Place, ConnectionEvent | AuditEntry]]:
    """The newest `count` of the wanted lines, the newest first."""
    sources: list[Iterable[tuple[Place, ConnectionEvent | AuditEntry]]] = []
    if CONNECTION in wanted.kinds:
        events = ConnectionEvent.objects.filter(connection_id=wanted.organization_id)
        if wanted.reason is not None:
            events = events.filter(reason=wanted.reason)
        sources.append(_placed(events, CONNECTION, wanted, count))
    if AUDIT in wanted.kinds and wanted.reason is None:
        entries = AuditEntry.objects.filter(organization_id=wanted.organization_id)
        sources.append(_placed(entries, AUDIT, wanted, count))
    return list(islice(heapq.merge(*sources, key=itemgetter(0), reverse=True), count))


def _placed(
    rows: QuerySet[Row], kind: str, wanted: Wanted, count: int
) -> Iterable[tuple[Place, Any]]:
    if wanted.since is not None:
        rows = rows.filter(at__gte=wanted.since)
    if wanted.until is not None:
        rows = rows.filter(at__lt=wanted.until)
    if (before := wanted.before) is not None:
        earlier = Q(at__lt=before.at)
        if kind < before.kind:
            earlier |= Q(at=before.at)
        elif kind == before.kind:
            earlier |= Q(at=before.at, pk__lt=before.number)
        rows = rows.filter(earlier)
    found: Any = rows.order_by("-at", "-pk")[:count]
    return [(Place(row.at, kind, row.pk), row) for row in found]
