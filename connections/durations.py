"""How long something lasted, as people say it."""

from datetime import timedelta

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

UNITS = ((86_400, _("{count} d")), (3_600, _("{count} h")), (60, _("{count} min")))
SECONDS = _("{count} s")


def format_duration(lasted: timedelta) -> str:
    """`3 h 12 min`: the largest unit and the next one. clock.js says it likewise."""
    rest = max(0, int(lasted.total_seconds()))
    parts: list[str] = []
    for size, text in (*UNITS, (1, SECONDS)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(gettext(text).format(count=count))
        if parts and (not count or len(parts) == 2):
            break
    return " ".join(parts) or gettext(SECONDS).format(count=0)
