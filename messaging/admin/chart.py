"""Messages in and out over time, as small charts: of 24 hours by the hour, of 7 days by the day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, F, Func, IntegerField, QuerySet, Sum
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from connections.history.chart import Tick, tick_step
from messaging.models import Message, MessageDay
from messaging.traffic import RECEIVED, SENT, since, start_of_day, visible_messages
from organizations.access import Caller

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOURS, DAYS = 24, 7
# Where the bars of in and out stand in their column.
IN_BAR, OUT_BAR = (0.14, 0.47), (0.53, 0.86)

COUNTS = {"received": Count("pk", filter=RECEIVED), "sent": Count("pk", filter=SENT)}


class Hour(Func):
    """The hour of a time, counted from 1970."""

    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "CAST(strftime('%%%%s', %(expressions)s) AS INTEGER) / 3600"
        return super().as_sqlite(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "FLOOR(EXTRACT(EPOCH FROM %(expressions)s) / 3600)::bigint"
        return super().as_sql(compiler, connection, template=template, **context)


@dataclass(frozen=True)
class Column:
    """The messages of an hour or a day. `name`: when that was, in words."""

    name: str
    received: int
    sent: int


@dataclass(frozen=True)
class MessageChart:
    """Two bars for each column. `received`, `sent`: SVG paths; `top`: the highest number."""

    name: str
    summary: str
    note: str
    top: int
    received: str
    sent: str
    columns: list[Column]
    times: list[Tick]
    numbers: list[Tick]


def message_charts(caller: Caller) -> list[MessageChart]:
    """Return the charts of the organizations that this caller sees."""
    now = timezone.localtime()
    zone = now.tzname() or ""
    by_hour = _("Messages by the hour, in {zone}; the last hour is not over yet.")
    by_day = _("Messages by the day, in {zone}; past days are counted by the day only.")
    hours = _hours(now)
    days = [now.date() - DAY * ago for ago in reversed(range(DAYS))]
    hour_ticks = [
        Tick(f"{100 * place / HOURS:.2f}%", date_format(hour, "H:i"))
        for place, hour in enumerate(hours)
        if hour.hour % 6 == 0
    ]
    day_ticks = [
        Tick(f"{100 * (place + 0.5) / DAYS:.2f}%", date_format(day, "D j"))
        for place, day in enumerate(days)
    ]
    return [
        _chart(
            *("day", _("24 hours"), by_hour.format(zone=zone), hour_ticks),
            _by_hour(visible_messages(caller), hours),
        ),
        _chart(*("week", _("7 days"), by_day.format(zone=zone), day_ticks), _by_day(caller, days)),
    ]


def _hours(now: datetime) -> list[datetime]:
    """Return the beginnings of the last hours, the present one is the last."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    return [timezone.localtime(this_hour - HOUR * ago) for ago in reversed(range(HOURS))]


def _by_hour(messages: QuerySet[Message], hours: list[datetime]) -> list[Column]:
    rows = since(messages, hours[0]).order_by()
    grouped = rows.values(hour=Hour(F("created_at"))).annotate(**COUNTS)
    found: dict[int, Any] = {row["hour"]: row for row in grouped}
    return [
        _column(date_format(hour, "H:i"), found.get(int(hour.timestamp()) // 3600))
        for hour in hours
    ]


def _by_day(caller: Caller, days: list[date]) -> list[Column]:
    """Count with the days that are counted already; the newest ones, if they are not, anew."""
    newest = MessageDay.objects.order_by("-day").values_list("day", flat=True).first()
    rows = MessageDay.objects.filter(day__in=days)
    if not caller.is_superuser:
        rows = rows.filter(organization__in=caller.organizations)
    totals = rows.order_by().values("day").annotate(received=Sum("received"), sent=Sum("sent"))
    found: dict[date, Any] = {row["day"]: row for row in totals}
    for day in days:
        if newest is None or day > newest:
            messages = since(visible_messages(caller), start_of_day(day))
            found[day] = messages.filter(created_at__lt=start_of_day(day + DAY)).aggregate(**COUNTS)
    return [_column(date_format(day, "l j"), found.get(day)) for day in days]


def _column(name: str, counts: dict[str, int] | None) -> Column:
    return Column(name, counts["received"], counts["sent"]) if counts else Column(name, 0, 0)


def _chart(
    name: str, period: str, note: str, times: list[Tick], columns: list[Column]
) -> MessageChart:
    most = max(max(column.received, column.sent) for column in columns)
    step = tick_step(most)
    top = max(1, -(-most // step)) * step
    texts = {
        "time": period,
        "received": _grouped(sum(column.received for column in columns)),
        "sent": _grouped(sum(column.sent for column in columns)),
    }
    return MessageChart(
        name=name,
        summary=_("Last %(time)s: %(received)s in, %(sent)s out.") % texts,
        note=note,
        top=top,
        received=_bars((column.received for column in columns), top, *IN_BAR),
        sent=_bars((column.sent for column in columns), top, *OUT_BAR),
        columns=columns,
        times=times,
        numbers=[
            Tick(f"{100 - 100 * number / top:g}%", _grouped(number))
            for number in range(0, top + 1, step)
        ],
    )


def _bars(values: Iterable[int], top: int, left: float, right: float) -> str:
    return "".join(
        f"M{place + left:g} {top}V{top - value}H{place + right:g}V{top}Z"
        for place, value in enumerate(values)
        if value
    )


def _grouped(number: int) -> str:
    return number_format(number, force_grouping=True)
