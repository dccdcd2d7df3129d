"""How a connection has fared: its history, how long each state lasted, and its uptime."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from django.db.models import Case, F, OuterRef, Q, QuerySet, Subquery, When
from django.utils import timezone
from django.utils.translation import gettext

from connections.durations import format_duration
from connections.history.entries import CONNECTION, Place
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
    def told(self) -> dict[str, Any]:
        """As the live page's socket tells it."""
        until = self.until.isoformat() if self.until else None
        return self.__dict__ | {"at": self.at.isoformat(), "until": until}

    @property
    def day(self) -> date:
        """The day it belongs to, where the server stands."""
        return timezone.localdate(self.at)

    @property
    def lasted(self) -> str:
        """How long the state lasted that this line began, or lasts by now; "" if it only passed."""
        if not self.began or (self.until and self.until - self.at < timedelta(seconds=1)):
            return ""
        text = gettext("for {duration}") if self.until else gettext("for {duration} so far")
        return text.format(duration=format_duration((self.until or timezone.now()) - self.at))


def lines(connection_id: int, before: Place | None = None) -> tuple[list[Line], str | None]:
    """The newest lines, those before a place at most; and the cursor of what is earlier."""
    events = _with_endings(ConnectionEvent.objects.filter(connection_id=connection_id))
    if before is not None:
        events = events.filter(Q(at__lt=before.at) | Q(at=before.at, pk__lt=before.number))
    found = list(events.order_by("-at", "-pk")[: LINES + 1])
    shown = found[:LINES]
    more = len(found) > LINES
    cursor = Place(shown[-1].at, CONNECTION, shown[-1].pk).cursor if more else None
    return [_line(event) for event in shown], cursor


def _with_endings(events: QuerySet[ConnectionEvent]) -> QuerySet[ConnectionEvent]:
    """Each event with the time at which another state followed."""
    later = Q(at__gt=OuterRef("at")) | Q(at=OuterRef("at"), pk__gt=OuterRef("pk"))
    following = ConnectionEvent.objects.filter(later, connection=OuterRef("connection"))
    others = following.exclude(state=OuterRef("state")).order_by("at", "pk")
    return events.annotate(until=Subquery(others.values("at")[:1]))


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


def present(observed: ConnectionStatus) -> Line | None:
    """What no one wrote down: that no worker looks after it, or that it rests."""
    if not observed.overridden:
        return None
    sentence = observed.reason_text.sentence
    return Line(0, observed.since, observed.state, observed.reason, sentence, "", "", True, None)


def latest(observed: ConnectionStatus) -> tuple[list[Line], str | None]:
    """The newest lines, what no one wrote down included; and the cursor of what is earlier."""
    newest, cursor = lines(observed.connection.pk)
    now = present(observed)
    if now is None:
        return newest, cursor
    # The last state ended when what no one wrote down began.
    over = [line if line.until else replace(line, until=max(now.at, line.at)) for line in newest]
    return [now, *over], cursor


def told(observed: ConnectionStatus) -> dict[str, Any]:
    """The part of a snapshot that is about the history."""
    newest, cursor = latest(observed)
    return {
        "present": next((line.told for line in newest if not line.id), None),
        "history": [line.told for line in newest if line.id],
        "earlier": cursor,
    }


# --- Uptime -------------------------------------------------------------------------------------


class UptimeClass(StrEnum):
    """What a stretch of time counts as."""

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

    @property
    def share(self) -> float | None:
        """Of all days together."""
        zero = timedelta()
        counted = sum((day.counted for day in self.days), zero)
        return sum((day.up for day in self.days), zero) / counted if counted else None


def uptime(observed: ConnectionStatus, now: datetime | None = None) -> Uptime:
    """How much of the last 30 days it was connected, of the time in which it should have been."""
    now = now or timezone.now()
    today = timezone.localdate(now)
    midnights = [_midnight(today - timedelta(days=ago)) for ago in reversed(range(DAYS))]
    stretches = list(_stretches(observed, midnights[0], now))
    days = []
    for begin, end in pairwise([*midnights, now]):
        lasted = {fare: timedelta() for fare in UptimeClass}
        for fare, first, last in stretches:
            lasted[fare] += max(timedelta(), min(last, end) - max(first, begin))
        up = lasted[UptimeClass.UP]
        days.append(Day(timezone.localdate(begin), up, up + lasted[UptimeClass.DOWN]))
    return Uptime(days)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _stretches(
    observed: ConnectionStatus, start: datetime, now: datetime
) -> Iterator[tuple[UptimeClass, datetime, datetime]]:
    """What each stretch of time until now counts as."""
    fare, since, linked = UptimeClass.OFF, start, False
    for at, state, reason, linked_before, silent_since in _marks(observed.connection.pk, start):
        if at < start:
            linked = linked_before == State.CONNECTED
        # Between the last sign of life of a worker and the next worker's first nothing was up.
        at = min(max(silent_since or at, since), now)
        yield fare, since, at
        linked = state == State.CONNECTED or (linked and state != State.DISCONNECTED)
        fare, since = _fare(state, reason, linked), at
    if observed.overridden:
        at = min(max(observed.since, since), now)
        yield fare, since, at
        fare, since = _fare(observed.state, observed.reason, linked), at
    yield fare, since, now


def _fare(state: str, reason: str, linked: bool) -> UptimeClass:
    if not linked or reason == Reason.ORGANIZATION_INACTIVE:
        return UptimeClass.OFF
    return UptimeClass.UP if state == State.CONNECTED else UptimeClass.DOWN


def _marks(
    connection_id: int, start: datetime
) -> QuerySet[ConnectionEvent, tuple[datetime, str, str, str | None, datetime | None]]:
    """The events since the start and the one before, each with what was before, and the silence."""
    events = ConnectionEvent.objects.filter(connection_id=connection_id)
    before = events.filter(at__lt=start).order_by("-at", "-pk")
    link = before.filter(state__in=[State.CONNECTED, State.DISCONNECTED]).values("state")[:1]
    gone = Worker.objects.filter(stopped_at__lte=OuterRef("at")).order_by("-heartbeat_at")
    silence = When(reason=Reason.SERVICE_RESTARTED, then=Subquery(gone.values("heartbeat_at")[:1]))
    return (
        events.filter(Q(at__gte=start) | Q(pk=Subquery(before.values("pk")[:1])))
        .annotate(linked_before=Subquery(link), silent=Case(silence, default=None))
        .order_by("at", "pk")
        .values_list("at", "state", "reason", "linked_before", F("silent"))
    )
