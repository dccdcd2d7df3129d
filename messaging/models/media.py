"""Media: files that messages carry."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy

from messaging.models.identifiers import new_public_id
from organizations.encryption import EncryptedJSONField
from organizations.models import Organization


class Media(models.Model):
    """A file: uploaded by software to be sent, or fetched from WhatsApp. Stored encrypted."""

    class State(models.TextChoices):
        PENDING = "pending", lazy("Pending")
        READY = "ready", lazy("Ready")
        FAILED = "failed", lazy("Failed")
        NOT_KEPT = "not_kept", lazy("Not kept")

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="media")
    public_id = models.CharField(max_length=40, unique=True, default=new_public_id)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    reason = models.CharField(max_length=40, blank=True, help_text="Why it failed.")
    mime_type = models.CharField(
        max_length=100, blank=True, help_text="By the content, not by what the sender says."
    )
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    filename = EncryptedJSONField(null=True, help_text="The sender's name for it, a text.")
    stored_as = models.CharField(max_length=100, blank=True, help_text="Its name in the storage.")
    source = EncryptedJSONField(
        null=True, help_text="What the library needs to fetch it from WhatsApp, as base64."
    )
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = lazy("media file")
        verbose_name_plural = lazy("media files")
        indexes = [
            models.Index(
                fields=["next_try_at"], condition=models.Q(state="pending"), name="media_to_fetch"
            ),
            models.Index(fields=["stored_as"], name="media_by_stored_file"),
        ]

    def __str__(self) -> str:
        return f"Media {self.public_id}"
