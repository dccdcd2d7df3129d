"""When a notice is tried again, and when it is given up."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

MINUTES, HOURS = timedelta(minutes=1), timedelta(hours=1)
DELAYS = (0.5 * MINUTES, 2 * MINUTES, 10 * MINUTES, 30 * MINUTES, 1 * HOURS, 3 * HOURS, 12 * HOURS)
"""The wait after each failed try; after the last one a notice is given up."""
JITTER = 0.2


def next_try(tries: int, at: datetime) -> datetime | None:
    """Return when to try again after so many tries, None when a notice is given up."""
    if tries > len(DELAYS):
        return None
    return at + DELAYS[tries - 1] * (1 + random.uniform(0, JITTER))
