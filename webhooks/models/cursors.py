"""Cursors: how far an endpoint has read a log. Leases on them share the work among workers."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy

from organizations.models import Organization
from webhooks.models.endpoints import Endpoint


class Cursor(models.Model):
    """One reader of an organization's log for an endpoint. It sends one event at a time."""

    class Kind(models.TextChoices):
        LIVE = "live", lazy("New events")
        REPLAY = "replay", lazy("Replay")
        RESEND = "resend", lazy("Sent again")
        TEST = "test", lazy("Test")

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="cursors")
    organization = models.ForeignKey(
        Organization,
        on_delete=models.CASCADE,
        null=True,
        related_name="webhook_cursors",
        help_text="Empty only for a test of an endpoint of all organizations.",
    )
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.LIVE)
    position = models.PositiveBigIntegerField(
        default=0, help_text="The last sequence that was taken, given up or skipped."
    )
    end = models.PositiveBigIntegerField(
        null=True, help_text="The last sequence to send; empty: it follows the log."
    )
    due_at = models.DateTimeField(
        default=timezone.now, help_text="Nothing is sent before; after a failure the next try."
    )
    slow = models.BooleanField(
        default=False, help_text="The last attempt got no answer in time; see worker/sockets.py."
    )
    lease_owner = models.CharField(max_length=40, blank=True, help_text="The worker that sends.")
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "organization"],
                condition=models.Q(kind="live"),
                name="one_live_cursor_per_organization",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} cursor {self.pk} at {self.position}"
