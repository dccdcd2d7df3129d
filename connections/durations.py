"""Durations as text."""

from datetime import timedelta

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
