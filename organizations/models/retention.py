"""For how long an organization keeps what it has stored."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from organizations.models.organizations import Organization


class Retention(models.Model):
    """The days that an organization keeps things. Empty: as in the installation; 0: for ever.

    Those of messages and of their events are in its message settings.
    """

    organization = models.OneToOneField(
        Organization, on_delete=models.CASCADE, primary_key=True, related_name="retention"
    )
    media_days = models.PositiveSmallIntegerField(null=True)
    delivery_days = models.PositiveSmallIntegerField(null=True)
    history_days = models.PositiveSmallIntegerField(null=True)

    def __str__(self) -> str:
        return f"Retention of {self.organization_id}"

    @classmethod
    def of(cls, organization_id: int) -> Retention:
        """Return the organization's row; an empty one, not stored, where it has none."""
        return cls.objects.filter(pk=organization_id).first() or cls(pk=organization_id)

    @property
    def media(self) -> int:
        """The days to keep media files, 0 for as long as their messages."""
        own = self.media_days
        return settings.MEDIA_RETENTION_DAYS if own is None else own

    @property
    def deliveries(self) -> int:
        """The days to keep deliveries of webhooks after their end."""
        own = self.delivery_days
        return settings.DELIVERY_RETENTION_DAYS if own is None else own

    @property
    def history(self) -> int:
        """The days to keep the connection's history, 0 for ever."""
        own = self.history_days
        return settings.HISTORY_RETENTION_DAYS if own is None else own
