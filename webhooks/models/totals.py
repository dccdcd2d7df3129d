"""Totals of what was delivered, for the metrics; the rows that they count are deleted in time."""

from __future__ import annotations

from django.db import models

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The upper bounds of the buckets of attempts, in seconds; one more bucket is above them."""


class Total(models.Model):
    """How many deliveries or attempts have ended in a way, in all. No row is ever deleted.

    Attempts are counted by how long they took.
    """

    class Kind(models.TextChoices):
        """Deliveries that are over, and attempts that were taken or not."""

        DELIVERED = "delivered"
        DEAD = "dead"
        DROPPED = "dropped"
        TAKEN = "taken"
        FAILED = "failed"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    bucket = models.PositiveSmallIntegerField(
        default=0, help_text="Of an attempt: its place in BOUNDS."
    )
    count = models.PositiveBigIntegerField(default=0)
    milliseconds = models.PositiveBigIntegerField(default=0, help_text="Of attempts, in all.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "bucket"], name="one_total_per_kind_and_bucket")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.bucket}: {self.count}"
