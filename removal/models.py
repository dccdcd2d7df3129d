"""Removals of organizations: what remains of one when all else of it is gone."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy

from connections.models import Connection
from organizations.access import Actor
from organizations.models import ACTOR_LENGTH

STORAGE_PROBLEM = "storage"
"""The code for a storage of files that does not answer."""

ERROR_PROBLEM = "error"
"""The code for any other error, which the worker has logged."""


def is_logging_out(connection: Connection) -> bool:
    """Return whether the logout of a connection that is being removed is not over.

    The credentials are named until then, also before the logout is requested.
    """
    return connection.logout_pending or bool(connection.store_name)


class RemovalQuerySet(models.QuerySet["Removal"]):
    """Removals."""

    def unfinished(self) -> RemovalQuerySet:
        """Return those that a worker still has to finish."""
        return self.filter(finished_at=None)


class Removal(models.Model):
    """The removal of one organization. Only `removal.actions` and `removal.steps` write it."""

    class Logout(models.TextChoices):
        """Whether WhatsApp knows that the device is gone."""

        PENDING = "pending", lazy("WhatsApp has not confirmed it yet")
        CONFIRMED = "confirmed", lazy("Confirmed by WhatsApp")
        UNCONFIRMED = "unconfirmed", lazy("Not confirmed: the phone lists the device still")
        NOT_LINKED = "not_linked", lazy("No phone was linked")

    organization_id = models.BigIntegerField(
        primary_key=True, help_text="The number that the organization had."
    )
    name = models.CharField(lazy("name"), max_length=200)
    number = models.CharField(max_length=20, blank=True, help_text="Last digits of its phone.")
    requested_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    logout = models.CharField(max_length=12, choices=Logout.choices, default=Logout.PENDING)
    logout_required = models.BooleanField(
        default=True, help_text="It waits until WhatsApp has confirmed the logout."
    )
    counts: models.JSONField[Any] = models.JSONField(
        default=dict, help_text="How many rows of each kind are deleted so far."
    )
    bytes_deleted = models.PositiveBigIntegerField(default=0, help_text="Of media.")
    problem = models.CharField(
        max_length=40, blank=True, help_text="The code of what keeps a worker from going on."
    )
    actor = models.CharField(max_length=ACTOR_LENGTH)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    address = models.GenericIPAddressField(null=True)

    objects = RemovalQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at"]
        verbose_name = lazy("removal")
        verbose_name_plural = lazy("removals")

    def __str__(self) -> str:
        return f"Removal of {self.organization_id}"

    @property
    def requester(self) -> Actor:
        """Return who requested it, as the audit names them."""
        return Actor(self.actor, self.user, address=self.address)
