"""Times as elements of pages: in the server's zone, until a script shows them in the reader's."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime


def time_element(time: datetime, style: str = "TIMESTAMP_FORMAT") -> SafeString:
    """Return a `<time>` as the reader's language writes it. `style`: the name of a format.

    `static/messaging/times.js` shows it in the reader's time zone.
    """
    machine = time.astimezone(UTC).isoformat(timespec="seconds")
    return format_html(
        '<time datetime="{}">{}</time>', machine, date_format(localtime(time), style)
    )
