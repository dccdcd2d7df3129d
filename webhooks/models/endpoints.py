"""Endpoints: the addresses that events are sent to."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy

from messaging.models import new_public_id
from organizations.encryption import EncryptedJSONField
from organizations.models import ApiToken, Organization
from organizations.models.audit import ACTOR_LENGTH


class EndpointQuerySet(models.QuerySet["Endpoint"]):
    """Endpoints."""

    def present(self) -> EndpointQuerySet:
        """Return those that were not deleted."""
        return self.filter(deleted_at=None)


class Endpoint(models.Model):
    """An address that events of one organization, or of all of them, are sent to."""

    class State(models.TextChoices):
        ENABLED = "enabled", lazy("Enabled")
        PAUSED = "paused", lazy("Paused")
        DISABLED = "disabled", lazy("Disabled")

    class Reason(models.TextChoices):
        """Why nothing is sent. People pause; the service disables."""

        PAUSED_BY_PERSON = "paused_by_person", lazy("Paused by a person")
        MAKER_LOST_RIGHT = "maker_lost_right", lazy("Its maker lost the right to it")
        NOT_VERIFIED = "not_verified", lazy("It has not confirmed its verify token")
        GONE = "gone", lazy("It answered 410 Gone")
        FAILING = "failing", lazy("It failed for five days")

    public_id = models.CharField(max_length=40, unique=True, default=new_public_id)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="webhooks",
        verbose_name=lazy("organization"),
        help_text="Empty: it gets the events of all organizations.",
    )
    url = EncryptedJSONField(help_text="Its path and query are secret.")
    host = models.CharField(
        lazy("host"), max_length=260, help_text="Host and port of the URL, which may be shown."
    )
    types: models.JSONField[Any] = models.JSONField(
        default=list, blank=True, help_text="The types of events that are sent; empty: all."
    )
    format = models.CharField(max_length=20, default="standard")
    state = models.CharField(max_length=10, choices=State.choices, default=State.ENABLED)
    reason = models.CharField(max_length=20, choices=Reason.choices, blank=True)
    state_since = models.DateTimeField(default=timezone.now)
    secret = EncryptedJSONField()
    old_secret = EncryptedJSONField(null=True, help_text="It signs, too, while it is rotated.")
    old_secret_until = models.DateTimeField(null=True)
    verify_token = EncryptedJSONField(null=True, help_text="Of the format cloud only.")
    revision = models.PositiveIntegerField(
        default=0, help_text="Counts changes, so that workers notice that they hold an old row."
    )
    made_by = models.CharField(max_length=ACTOR_LENGTH)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="webhooks"
    )
    token = models.ForeignKey(
        ApiToken, on_delete=models.SET_NULL, null=True, related_name="webhooks"
    )
    created_at = models.DateTimeField(default=timezone.now)
    failing_since = models.DateTimeField(
        null=True, help_text="The first failure after the last success."
    )
    last_success_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(
        null=True,
        help_text="When the last event was given up; empty once all of them have arrived.",
    )
    deleted_at = models.DateTimeField(
        null=True, help_text="It is gone for people; a worker deletes its many rows bit by bit."
    )

    objects = EndpointQuerySet.as_manager()

    def wants(self, types: Collection[str] | None) -> bool:
        """Return whether it is sent events of any of these types. None: the types are unknown."""
        return types is None or not self.types or not set(self.types).isdisjoint(types)

    class Meta:
        ordering = ["pk"]
        verbose_name = lazy("webhook")
        verbose_name_plural = lazy("webhooks")

    def __str__(self) -> str:
        return f"{self.host} ({self.public_id})"

    def secrets_at(self, at: datetime) -> list[str]:
        """Return the secrets that sign at a time: the new one first, the old one while it lasts."""
        found = [self.secret]
        if self.old_secret and self.old_secret_until and at < self.old_secret_until:
            found.append(self.old_secret)
        return found
