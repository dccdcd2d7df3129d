"""A connection's timeline: its events, how long each state lasted, and its uptime."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Case, DateTimeField, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext

from connections.durations import format_duration
from connections.history.entries import CONNECTION, Position
from connections.lifecycle import Reason, State
from connections.models import ConnectionEvent, Worker
from connections.status import ConnectionStatus
from organizations import audit_labels

LINES = 20
DAYS = 30


# --- The lines ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One line of the history. `until`: when the state that it began was over."""

    id: int
    at: datetime
    state: str
    reason: str
    sentence: str
    detail: str
    actor: str
    began: bool
    until: datetime | None

    @property
    def as_json(self) -> dict[str, Any]:
        """The line as the live page's socket sends it."""
        until = self.until.isoformat() if self.until else None
        return self.__dict__ | {"at": self.at.isoformat(), "until": until}

    @property
    def day(self) -> date:
        """The day in the server's time zone."""
        return timezone.localdate(self.at)

    @property
    def lasted(self) -> str:
        """How long the state has lasted that this line began; "" if under a second."""
        if not self.began or (self.until and self.until - self.at < timedelta(seconds=1)):
            return ""
        text = gettext("for {duration}") if self.until else gettext("for {duration} so far")
        return text.format(duration=format_duration((self.until or timezone.now()) - self.at))


def lines(connection_id: int, before: Position | None = None) -> tuple[list[Line], str | None]:
    """Return the newest lines (before a position, if given), and the cursor of the next page."""
    events = _with_endings(ConnectionEvent.objects.filter(connection_id=connection_id))
    if before is not None:
        events = events.filter(Q(at__lt=before.at) | Q(at=before.at, pk__lt=before.number))
    page = list(events.order_by("-at", "-pk")[: LINES + 1])
    shown = page[:LINES]
    has_more = len(page) > LINES
    cursor = Position(shown[-1].at, CONNECTION, shown[-1].pk).cursor if has_more else None
    return [_line(event) for event in shown], cursor


def _with_endings(events: QuerySet[ConnectionEvent]) -> QuerySet[ConnectionEvent]:
    """Annotate `until`: when another state followed."""
    later = Q(at__gt=OuterRef("at")) | Q(pk__gt=OuterRef("pk"))
    # By itself, so that the index begins there and not at the connection's first event.
    following = ConnectionEvent.objects.filter(
        later, connection=OuterRef("connection"), at__gte=OuterRef("at")
    )
    changes = following.exclude(state=OuterRef("state")).order_by("at", "pk")
    return events.annotate(until=Subquery(changes.values("at")[:1]))


def _line(event: ConnectionEvent) -> Line:
    return Line(
        id=event.pk,
        at=event.at,
        state=event.state,
        reason=event.reason,
        sentence=event.sentence,
        detail=event.translated_detail,
        actor=audit_labels.translate_actor(event.actor),
        began=event.state != event.state_before,
        until=getattr(event, "until", None),
    )


def current_line(status: ConnectionStatus) -> Line | None:
    """Return a line for a status that is not in the history: unowned, or deactivated."""
    if not status.overridden:
        return None
    sentence = status.reason_text.sentence
    return Line(0, status.since, status.state, status.reason, sentence, "", "", True, None)


def latest(status: ConnectionStatus) -> tuple[list[Line], str | None]:
    """Return the newest lines, with the current status first if it is not in the history.

    The second value is the cursor of the next page.
    """
    newest, cursor = lines(status.connection.pk)
    current = current_line(status)
    if current is None:
        return newest, cursor
    # The newest stored state ended when the current status began.
    ended = [
        line if line.until else replace(line, until=max(current.at, line.at)) for line in newest
    ]
    return [current, *ended], cursor


def history_as_json(status: ConnectionStatus) -> dict[str, Any]:
    """Return the history's part of a snapshot."""
    newest, cursor = latest(status)
    return {
        "present": next((line.as_json for line in newest if not line.id), None),
        "history": [line.as_json for line in newest if line.id],
        "earlier": cursor,
    }


# --- Uptime -------------------------------------------------------------------------------------


class UptimeClass(StrEnum):
    """What an interval counts as."""

    UP = "up"
    DOWN = "down"
    OFF = "off"  # no phone was linked, by choice or not yet; or the organization was deactivated


@dataclass(frozen=True)
class Day:
    """One day: how much of it counts, and how much of that the connection was up."""

    date: date
    up: timedelta
    counted: timedelta

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where nothing counts."""
        return self.up / self.counted if self.counted else None


@dataclass(frozen=True)
class Uptime:
    """The last days, the oldest first."""

    days: list[Day]
    since: datetime | None = None
    """Since when it counts, if that is later than the first day."""

    @property
    def share(self) -> float | None:
        """Of all days together."""
        zero = timedelta()
        counted = sum((day.counted for day in self.days), zero)
        return sum((day.up for day in self.days), zero) / counted if counted else None


def uptime(status: ConnectionStatus, now: datetime | None = None) -> Uptime:
    """Return the uptime of the last 30 days, of the time in which it should have been connected."""
    now = now or timezone.now()
    today = timezone.localdate(now)
    midnights = [_midnight(today - timedelta(days=ago)) for ago in reversed(range(DAYS))]
    intervals = list(_intervals(status, midnights[0], now))
    counted = [first for kind, first, last in intervals if kind != UptimeClass.OFF and last > first]
    ends = [*midnights[1:], now]
    days = [
        Day(timezone.localdate(begin), up, up + down)
        for begin, (up, down) in zip(midnights, _per_day(intervals, ends), strict=True)
    ]
    late = bool(counted) and counted[0] > midnights[0]
    return Uptime(days, counted[0] if late else None)


def _per_day(
    intervals: list[tuple[UptimeClass, datetime, datetime]], ends: list[datetime]
) -> list[tuple[timedelta, timedelta]]:
    """Return how long it was up and down on each day. Intervals and days follow each other."""
    days = [dict.fromkeys(UptimeClass, timedelta()) for _ in ends]
    day = 0
    for uptime_class, first, last in intervals:
        while first < last:
            while ends[day] <= first:
                day += 1
            end = min(last, ends[day])
            days[day][uptime_class] += end - first
            first = end
    return [(lasted[UptimeClass.UP], lasted[UptimeClass.DOWN]) for lasted in days]


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _intervals(
    status: ConnectionStatus, start: datetime, now: datetime
) -> Iterator[tuple[UptimeClass, datetime, datetime]]:
    """Yield each interval until now: its class, its start and its end."""
    uptime_class, since, linked = UptimeClass.OFF, start, False
    events = _boundary_events(status.connection.pk, start)
    for at, state, reason, linked_before, silent_since in events:
        if at < start:
            linked = linked_before == State.CONNECTED
        # Nothing was up between the last heartbeat of a worker and the start of the next.
        at = min(max(silent_since or at, since), now)
        yield uptime_class, since, at
        linked = state == State.CONNECTED or (linked and state != State.DISCONNECTED)
        uptime_class, since = _classify(state, reason, linked), at
    if status.overridden:
        at = min(max(status.since, since), now)
        yield uptime_class, since, at
        uptime_class, since = _classify(status.state, status.reason, linked), at
    yield uptime_class, since, now


def _classify(state: str, reason: str, linked: bool) -> UptimeClass:
    if not linked or reason == Reason.ORGANIZATION_INACTIVE:
        return UptimeClass.OFF
    return UptimeClass.UP if state == State.CONNECTED else UptimeClass.DOWN


def _boundary_events(
    connection_id: int, start: datetime
) -> QuerySet[ConnectionEvent, tuple[datetime, str, str, str | None, datetime | None]]:
    """Return the events since the start, and the last one (of one time) before it.

    `linked_before`: the last of connected and disconnected before the start. `silent`: the last
    heartbeat of a stopped worker, for an event after a restart.
    """
    events = ConnectionEvent.objects.filter(connection_id=connection_id)
    before = events.filter(at__lt=start).order_by("-at", "-pk")
    link = before.filter(state__in=[State.CONNECTED, State.DISCONNECTED]).values("state")[:1]
    gone = Worker.objects.filter(stopped_at__lte=OuterRef("at")).order_by("-heartbeat_at")
    silence = When(reason=Reason.SERVICE_RESTARTED, then=Subquery(gone.values("heartbeat_at")[:1]))
    # One lower bound, so that only the end of the index is read.
    first = Coalesce(Subquery(before.values("at")[:1]), Value(start, DateTimeField()))
    return (
        events.filter(at__gte=first)
        .annotate(linked_before=Subquery(link), silent=Case(silence, default=None))
        .order_by("at", "pk")
        .values_list("at", "state", "reason", "linked_before", F("silent"))
    )
