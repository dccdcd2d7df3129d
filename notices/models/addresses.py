"""Where members are told, of which organizations, and when."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy

from organizations.encryption import EncryptedJSONField
from organizations.models import Organization


def new_nonce() -> str:
    return secrets.token_hex(8)


class Preferences(models.Model):
    """How one person is told. Without a row: in English, at all hours."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="notice_preferences",
    )
    language = models.CharField(max_length=10, choices=settings.LANGUAGES, default="en")
    time_zone = models.CharField(max_length=60, default="UTC")
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Preferences of {self.user_id}"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def quiet_end(self, now: datetime) -> datetime | None:
        """Return when the quiet hours end that it is now, None outside of them."""
        start, end = self.quiet_from, self.quiet_until
        if start is None or end is None or start == end:
            return None
        local = now.astimezone(self.zone)
        for day in (local.date() - timedelta(days=1), local.date()):
            begins = datetime.combine(day, start, self.zone)
            last = day if end > start else day + timedelta(days=1)
            ends = datetime.combine(last, end, self.zone)
            if begins <= local < ends:
                return ends
        return None


class AddressQuerySet(models.QuerySet["Address"]):
    def on(self) -> AddressQuerySet:
        """Return those that are told: confirmed, not stopped, of people who may log in."""
        return self.exclude(on_since=None).filter(user__is_active=True)


class Address(models.Model):
    """A mail address or a chat of one person.

    `target` is encrypted: the URL of a chat is a secret. `label` says what it is to people.
    """

    class Kind(models.TextChoices):
        MAIL = "mail", lazy("Mail")
        CHAT = "chat", lazy("Chat")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notice_addresses"
    )
    kind = models.CharField(max_length=10, choices=Kind.choices)
    target = EncryptedJSONField()
    label = models.CharField(max_length=260)
    created_at = models.DateTimeField(default=timezone.now)
    confirmed_at = models.DateTimeField(null=True)
    on_since = models.DateTimeField(
        null=True, help_text="Empty: nothing is sent, not yet or not any more."
    )
    everywhere = models.BooleanField(
        default=True, help_text="Told of all organizations of the person, but for their choices."
    )
    nonce = models.CharField(
        max_length=20, default=new_nonce, help_text="Signed links work while they name it."
    )

    objects = AddressQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"Address {self.pk}"

    @property
    def is_on(self) -> bool:
        return self.on_since is not None


class Choice(models.Model):
    """Whether an address is told of one organization, where that differs from `everywhere`."""

    address = models.ForeignKey(Address, on_delete=models.CASCADE, related_name="choices")
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="notice_choices"
    )
    told = models.BooleanField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["address", "organization"], name="one_choice_per_address_and_organization"
            )
        ]

    def __str__(self) -> str:
        return f"{self.address_id} of {self.organization_id}: {self.told}"
