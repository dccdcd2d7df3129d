"""Contacts: the people that an organization writes to or hears from."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as lazy

from organizations.encryption import EncryptedJSONField
from organizations.models import Organization


class Contact(models.Model):
    """One person: a phone number and WhatsApp's hidden identity (LID) together.

    WhatsApp names a person by either; at least one is known.
    """

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="contacts"
    )
    number = models.CharField(
        max_length=20, blank=True, help_text="Digits, in the spelling of the WhatsApp account."
    )
    lid = models.CharField(max_length=30, blank=True, help_text="Digits of the LID.")
    name = EncryptedJSONField(
        null=True, help_text="The name that the person shows on WhatsApp, a text."
    )
    on_whatsapp = models.BooleanField(
        null=True, help_text="Whether the number is on WhatsApp, unknown before it was asked."
    )
    resolved_at = models.DateTimeField(
        null=True, help_text="When WhatsApp was last asked about the number."
    )
    last_received_at = models.DateTimeField(null=True)  # to this organization, not in a group
    last_sent_at = models.DateTimeField(null=True)
    first_written_at = models.DateTimeField(
        null=True,
        help_text="When the first message went to a person who had never written, "
        "which counts against the limit of new recipients.",
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["organization", "first_written_at"],
                condition=Q(first_written_at__isnull=False),
                name="contacts_by_first_message",
            )
        ]
        verbose_name = lazy("contact")
        verbose_name_plural = lazy("contacts")
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "number"],
                condition=~Q(number=""),
                name="one_contact_per_number",
            ),
            models.UniqueConstraint(
                fields=["organization", "lid"], condition=~Q(lid=""), name="one_contact_per_lid"
            ),
        ]

    def __str__(self) -> str:
        return f"Contact {self.pk}"

    @property
    def wa_id(self) -> str | None:
        """The number in WhatsApp's own spelling, None before WhatsApp has said it."""
        confirmed = self.on_whatsapp or self.last_received_at or self.last_sent_at
        return self.number if self.number and confirmed else None

    @property
    def known(self) -> bool:
        """Whether the person has written, or was written to, before."""
        return bool(self.last_received_at or self.first_written_at)
