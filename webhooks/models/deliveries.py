"""Deliveries: what became of an event at an endpoint, with every attempt."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import pgettext_lazy

from messaging.models import new_public_id
from organizations.encryption import EncryptedJSONField
from organizations.models import Organization
from webhooks.models.cursors import Cursor
from webhooks.models.endpoints import Endpoint


class Delivery(models.Model):
    """One event on its way to an endpoint. A row exists from the first attempt on.

    What was sent is not stored: it is read from the log again, so that what is erased there is
    erased here.
    """

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("delivery", "Waiting")
        RETRYING = "retrying", pgettext_lazy("delivery", "Trying again")
        DELIVERED = "delivered", pgettext_lazy("delivery", "Delivered")
        DEAD = "dead", pgettext_lazy("delivery", "Given up")
        DROPPED = "dropped", pgettext_lazy("delivery", "Dropped")

    public_id = models.CharField(max_length=40, unique=True, default=new_public_id)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="deliveries")
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, related_name="webhook_deliveries"
    )
    cursor = models.ForeignKey(Cursor, on_delete=models.CASCADE, related_name="deliveries")
    original = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        related_name="repetitions",
        help_text="The delivery that it repeats.",
    )
    sequence = models.PositiveBigIntegerField()
    type = models.CharField(max_length=40)
    event_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True, help_text="When it is tried again.")
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True, help_text="HTTP, of the last attempt.")
    failure = models.CharField(max_length=20, blank=True, help_text="Of the last attempt.")
    milliseconds = models.PositiveIntegerField(null=True, help_text="Of the last attempt.")

    class Meta:
        ordering = ["-pk"]
        verbose_name = lazy("delivery")
        verbose_name_plural = lazy("deliveries")
        constraints = [
            models.UniqueConstraint(fields=["cursor", "sequence"], name="one_delivery_per_event")
        ]
        indexes = [
            models.Index(fields=["endpoint", "state", "-id"], name="webhook_delivery_states"),
            models.Index(fields=["endpoint", "organization", "sequence"]),
            models.Index(
                fields=["ended_at"], condition=models.Q(ended_at__isnull=False), name="ended_first"
            ),
        ]

    def __str__(self) -> str:
        return f"Delivery {self.public_id}"

    @property
    def webhook_id(self) -> str:
        """Return the id that the receiver gets: the same whenever this event is sent there."""
        if self.cursor.kind == Cursor.Kind.TEST:
            return f"{self.endpoint.public_id}_test_{self.public_id}"
        return f"{self.endpoint.public_id}_{self.organization_id}_{self.sequence}"


class Attempt(models.Model):
    """One request to an endpoint, and what came of it."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField(help_text="Counts from 1 for each delivery.")
    at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True, help_text="HTTP; empty: no answer.")
    failure = models.CharField(max_length=20, blank=True, help_text="Empty: it was taken.")
    milliseconds = models.PositiveIntegerField()
    answer = EncryptedJSONField(null=True, help_text="The first kilobyte of the answer.")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["delivery", "number"], name="one_attempt_per_number")
        ]
        indexes = [models.Index(fields=["endpoint", "at"])]

    def __str__(self) -> str:
        return f"Attempt {self.number} of delivery {self.delivery_id}"
