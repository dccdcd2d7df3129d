"""The uptime of the last days, as bars and as text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from connections.durations import format_duration
from connections.history.timeline import Day, Uptime
from organizations.timestamps import time_element

STEP, WIDTH, HEIGHT = 10, 8, 40
# At most some three minutes of a day without a connection.
GOOD = 0.998


@dataclass(frozen=True)
class Bar:
    """One day: the position, height and texts of its bar."""

    x: int
    y: int
    height: int
    kind: str
    date: date
    percent: str
    gone: str
    title: str


def uptime_bars(uptime: Uptime) -> dict[str, Any]:
    """Return the template's context."""
    return {
        "percent": None if uptime.share is None else _percent(uptime.share),
        "bars": [_bar(at, day) for at, day in enumerate(uptime.days)],
        "view_box": f"0 0 {STEP * len(uptime.days) - STEP + WIDTH} {HEIGHT}",
        "width": WIDTH,
        "height": HEIGHT,
        "count": len(uptime.days),
        "since": time_element(uptime.since, "DATETIME_FORMAT") if uptime.since else "",
    }


def _bar(at: int, day: Day) -> Bar:
    share = day.share
    height = 3 if share is None else max(3, int(HEIGHT * share))
    name = date_format(day.date, "MONTH_DAY_FORMAT")
    percent = "" if share is None else _percent(share)
    gone = format_duration(day.counted - day.up) if day.counted > day.up else ""
    return Bar(
        at * STEP,
        HEIGHT - height,
        height,
        _kind(share),
        day.date,
        percent,
        gone,
        _title(name, percent, gone),
    )


def _kind(share: float | None) -> str:
    if share is None:
        return "none"
    return "good" if share >= GOOD else "partly" if share >= 0.5 else "bad"


def _title(name: str, percent: str, gone: str) -> str:
    if not percent:
        return _("{day}: nothing to count").format(day=name)
    if not gone:
        return _("{day}: {percent}").format(day=name, percent=percent)
    return _("{day}: {percent}, {duration} without a connection").format(
        day=name, percent=percent, duration=gone
    )


def _percent(share: float) -> str:
    """Return the share as a percentage, rounded down: only a day without any loss has 100 %."""
    exact = (Decimal(share) * 100).quantize(Decimal("0.01"), ROUND_FLOOR)
    number = number_format(exact.normalize() if exact % 1 else int(exact))
    return _("{number} %").format(number=number)
