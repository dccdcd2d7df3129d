"""When a delivery is tried again, and when it is given up."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

SECONDS, MINUTES, HOURS = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
)
DELAYS = (
    *(0 * SECONDS, 5 * SECONDS, 30 * SECONDS, 2 * MINUTES, 10 * MINUTES),
    *(1 * HOURS, 3 * HOURS, 6 * HOURS, 12 * HOURS, 24 * HOURS, 24 * HOURS),
)
"""The wait before each try; after the last one an event is given up."""
MAX_TRIES = len(DELAYS)
JITTER = 0.2
"""A wait is up to this part longer, so that endpoints do not come back all at once."""
LONGEST_RETRY_AFTER = 24 * HOURS
DISABLE_AFTER = timedelta(days=5)
"""An endpoint that fails for so long, without a success in between, is disabled."""


def next_try(tries: int, at: datetime, retry_after: timedelta | None = None) -> datetime | None:
    """Return when to try again after so many tries, None when the event is given up.

    `retry_after`: what the receiver asked for; it makes a wait longer, never shorter.
    """
    if tries >= MAX_TRIES:
        return None
    delay = DELAYS[tries] * (1 + random.uniform(0, JITTER))
    if retry_after is not None:
        delay = max(delay, min(retry_after, LONGEST_RETRY_AFTER))
    return at + delay


def parse_retry_after(text: str | None, at: datetime) -> timedelta | None:
    """Return what a header Retry-After says, seconds or a date; None for none or nonsense."""
    if not text:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), LONGEST_RETRY_AFTER)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        return None
    return max(timedelta(0), when - at)
