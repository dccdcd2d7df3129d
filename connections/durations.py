"""Durations and times as text."""

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

UNITS = ((86_400, _("{count} d")), (3_600, _("{count} h")), (60, _("{count} min")))
SECONDS = _("{count} s")


def format_duration(duration: timedelta) -> str:
    """Return the largest unit and the next one: `3 h 12 min`. clock.js formats the same way."""
    rest = max(0, int(duration.total_seconds()))
    parts: list[str] = []
    for size, text in (*UNITS, (1, SECONDS)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(gettext(text).format(count=count))
        if parts and (not count or len(parts) == 2):
            break
    return " ".join(parts) or gettext(SECONDS).format(count=0)


def format_time(moment: datetime) -> str:
    """Return a time in the server's zone, with the day unless it is today."""
    local = timezone.localtime(moment)
    if local.date() == timezone.localdate():
        return time_format(local, "TIME_FORMAT")
    return date_format(local, "SHORT_DATETIME_FORMAT")
