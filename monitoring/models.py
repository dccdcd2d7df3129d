"""What the metrics have counted, kept over restarts."""

from __future__ import annotations

from django.db import models


class HistoryTotals(models.Model):
    """The counts of the history's and the attempts' settled rows. There is one row at most.

    A new process goes on from here. Otherwise it would count a year of events at its first scrape,
    and not those that were deleted meanwhile.
    """

    last_event = models.PositiveBigIntegerField(
        default=0, help_text="The last event that is counted."
    )
    last_attempt = models.PositiveBigIntegerField(
        default=0, help_text="The last attempt that is counted."
    )
    counts = models.JSONField(default=dict, help_text="As monitoring/stored_totals.py writes them.")

    def __str__(self) -> str:
        return f"Totals up to event {self.last_event}"
