"""How much came in and went out on past days, which outlives the messages themselves."""

from __future__ import annotations

from django.db import models

from organizations.models import Organization


class MessageDay(models.Model):
    """One organization's messages of one past day. A day without messages has no row."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    day = models.DateField(help_text="In the installation's time zone.")
    received = models.PositiveIntegerField(default=0)
    sent = models.PositiveIntegerField(default=0)
    first_received_at = models.DateTimeField(
        null=True, help_text="When the first message of the day came in."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "organization"], name="one_row_per_day_and_organization"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} of {self.organization_id}"
