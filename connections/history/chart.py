"""How many connections were connected over time, from the history, as small charts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models import Case, F, Func, IntegerField, Q, Sum, Value, When
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from connections.lifecycle import State
from connections.models import Connection, ConnectionEvent

MINUTE = 60
DAY, WEEK = 24 * 60, 7 * 24 * 60  # In minutes.
MAX_TICKS = 4
# An event that is so old, in minutes, is committed.
SETTLED = 5


class Minute(Func):
    """The minute of a time, counted from 1970: groups a long history into few rows."""

    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        seconds = "CAST(strftime('%%%%s', %(expressions)s) AS INTEGER)"
        return super().as_sqlite(compiler, connection, template=f"{seconds} / {MINUTE}", **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        seconds = "EXTRACT(EPOCH FROM %(expressions)s)"
        template = f"FLOOR({seconds} / {MINUTE})::bigint"
        return super().as_sql(compiler, connection, template=template, **context)


def connected_per_minute(connection_ids: list[int], now: datetime) -> list[int]:
    """Return how many were connected at the end of each minute of the last week, oldest first.

    Counts back from the stored states. Reads at most one row for each minute, so a change that is
    undone within the minute does not show.
    """
    last = int(now.timestamp()) // MINUTE
    own = Connection.objects.filter(pk__in=connection_ids)
    count = own.filter(state=State.CONNECTED).count()
    hour = (last - SETTLED) // 60 * 60
    changes = past_changes(tuple(connection_ids), hour) | _changes(connection_ids, hour, last + 1)
    counts = []
    for minute in range(last, last - WEEK, -1):
        counts.append(max(0, count))
        count -= changes.get(minute, 0)
    return counts[::-1]


@lru_cache(maxsize=4)
def past_changes(connection_ids: tuple[int, ...], hour: int) -> dict[int, int]:
    """Return the changes of a week until an hour. They stay as they are, and are read once."""
    return _changes(connection_ids, hour - WEEK, hour)


def _changes(connection_ids: Collection[int], start: int, end: int) -> dict[int, int]:
    """Return by how much the count changed in each minute from `start` until before `end`."""
    connected = Q(state=State.CONNECTED) & ~Q(state_before=State.CONNECTED)
    disconnected = ~Q(state=State.CONNECTED) & Q(state_before=State.CONNECTED)
    since, until = (datetime.fromtimestamp(minute * MINUTE, UTC) for minute in (start, end))
    rows = (
        ConnectionEvent.objects.filter(connected | disconnected, connection__in=connection_ids)
        .filter(at__gte=since, at__lt=until)
        .order_by()
        .values(minute=Minute(F("at")))
        .annotate(change=Sum(Case(When(connected, then=Value(1)), default=Value(-1))))
    )
    return dict(rows.values_list("minute", "change"))


@dataclass(frozen=True)
class Tick:
    """A label at an axis. `at`: how far along it, as an SVG length."""

    at: str
    label: str


@dataclass(frozen=True)
class Chart:
    """A stepped line. Each step is the lowest count of its time, so that no outage is hidden."""

    name: str
    label: str
    summary: str
    columns: int
    top: int
    line: str
    area: str
    times: list[Tick]
    numbers: list[Tick]


def charts(connection_ids: list[int], connected: int, now: datetime) -> list[Chart]:
    """Return the charts of the last 24 hours and the last 7 days.

    `connected`: how many are connected now; fewer than stored when a worker has died.
    """
    week = [*connected_per_minute(connection_ids, now)[:-1], connected]
    return [
        _chart("day", _("24 hours"), week[-DAY:], 10, _hours(now)),
        _chart("week", _("7 days"), week, 60, _days(now)),
    ]


def _chart(name: str, label: str, minutes: list[int], step: int, times: list[Tick]) -> Chart:
    values = [min(minutes[start : start + step]) for start in range(0, len(minutes), step)]
    step_size = tick_step(max(minutes))
    top = max(1, -(-max(minutes) // step_size)) * step_size
    line = f"M0 {top - values[0]}" + "".join(
        f"V{top - value}H{column}" for column, value in enumerate(values, 1)
    )
    texts = {"now": minutes[-1], "fewest": min(minutes), "most": max(minutes), "time": label}
    return Chart(
        name=name,
        label=label,
        summary=_("Last %(time)s: now %(now)s, fewest %(fewest)s, most %(most)s.") % texts,
        columns=len(values),
        top=top,
        line=line,
        area=f"{line}V{top}H0Z",
        times=times,
        numbers=[
            Tick(f"{100 - 100 * number / top:g}%", str(number))
            for number in range(0, top + 1, step_size)
        ],
    )


def tick_step(most: int) -> int:
    """Return a round step with at most MAX_TICKS of it in `most`."""
    step_size = 1
    while most > step_size * MAX_TICKS:
        step_size = step_size * 5 // 2 if str(step_size).startswith("2") else step_size * 2
    return step_size


def _hours(now: datetime) -> list[Tick]:
    """Return every sixth hour of the last 24, in the service's time zone."""
    here = localtime(now)
    hours = [
        here.replace(minute=0, second=0, microsecond=0) - timedelta(hours=n) for n in range(24)
    ]
    labelled = [hour for hour in reversed(hours) if hour.hour % 6 == 0]
    return [Tick(_offset(hour, now, DAY), date_format(hour, "H:i")) for hour in labelled]


def _days(now: datetime) -> list[Tick]:
    """Return the start of each of the last seven days, in the service's time zone."""
    midnight = localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight - timedelta(days=n) for n in reversed(range(7))]
    return [Tick(_offset(day, now, WEEK), date_format(day, "D j")) for day in days]


def _offset(moment: datetime, now: datetime, minutes: int) -> str:
    ago = (now - moment).total_seconds() / MINUTE
    return f"{100 - 100 * ago / minutes:.2f}%"
