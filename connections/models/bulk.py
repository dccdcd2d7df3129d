"""Bulk runs: one request about many connections."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy

from connections.models.core import Connection
from organizations.models import ACTOR_LENGTH


class BulkRun(models.Model):
    """One request about many connections, carried out one after the other by the worker."""

    class Action(models.TextChoices):
        RECONNECT = "reconnect", lazy("Reconnect")
        DISCONNECT = "disconnect", lazy("Disconnect")

    action = models.CharField(max_length=20, choices=Action.choices)
    created_at = models.DateTimeField(default=timezone.now)
    next_at = models.DateTimeField(default=timezone.now, help_text="Not before is it its turn.")
    stopped_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    missing = models.PositiveIntegerField(
        default=0, db_default=0, help_text="How many were chosen that the person could not see."
    )
    actor = models.CharField(max_length=ACTOR_LENGTH)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    address = models.GenericIPAddressField(null=True, blank=True, help_text="Where they asked.")

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(
                fields=["next_at"], condition=models.Q(ended_at=None), name="open_bulk_runs"
            )
        ]

    def __str__(self) -> str:
        return f"Run {self.pk}: {self.action}"


class BulkItem(models.Model):
    """One connection of a run, and its result."""

    class Result(models.TextChoices):
        WAITING = "waiting", lazy("Waiting")
        ASKED = "asked", lazy("Under way")
        DONE = "done", lazy("Done")
        SCAN = "scan", lazy("Waiting for the phone")
        PHONE = "phone", lazy("Needs the phone")
        RETRYING = "retrying", lazy("Trying again by itself")
        SKIPPED = "skipped", lazy("Skipped")
        FAILED = "failed", lazy("Failed")
        STOPPED = "stopped", lazy("Stopped")

    class Problem(models.TextChoices):
        NO_RIGHT = "no_right", lazy("Your role only allows you to look at this organization.")
        GONE = "gone", lazy("This organization was not found, or is no longer yours.")
        CONNECTED = "connected", lazy("WhatsApp is already connected.")
        CONNECTING = "connecting", lazy("It is being connected already.")
        DISCONNECTING = "disconnecting", lazy("It is being disconnected.")
        DISCONNECTED = "disconnected", lazy("There is nothing to disconnect.")
        INACTIVE = "inactive", lazy("This organization is deactivated.")
        BANNED = "banned", lazy("WhatsApp has banned this number for a while.")
        TOO_MANY = "too_many", lazy("Too many reconnects in a short time. It is tried later.")
        SUPERSEDED = "superseded", lazy("Someone has asked for something else meanwhile.")
        TIMED_OUT = "timed_out", lazy("It takes long. Its page shows how it goes on.")
        BROKE = "broke", lazy("An error in the service. Its log says which.")

    OPEN = (Result.WAITING, Result.ASKED)

    run = models.ForeignKey(BulkRun, on_delete=models.CASCADE, related_name="items")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="bulk_items")
    result = models.CharField(max_length=20, choices=Result.choices, default=Result.WAITING.value)
    problem = models.CharField(max_length=20, choices=Problem.choices, blank=True)
    reason = models.CharField(max_length=40, blank=True, help_text="The connection's, then.")
    generation = models.PositiveBigIntegerField(
        default=0, help_text="The connection's request that this became."
    )
    not_before = models.DateTimeField(null=True, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "connection"], name="one_item_per_run_and_connection"
            )
        ]
        indexes = [models.Index(fields=["result"])]

    def __str__(self) -> str:
        return f"{self.result}: connection {self.connection_id} in run {self.run_id}"
