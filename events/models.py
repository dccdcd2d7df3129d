"""The models of the log: its events, and the counter that numbers them."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from organizations.encryption import EncryptedJSONField
from organizations.models import Organization


class EventType(models.TextChoices):
    """What an event is about, in the past tense. The API and webhooks use these names."""

    MESSAGE_RECEIVED = "message.received"
    MESSAGE_SENT_ELSEWHERE = "message.sent_elsewhere"
    MESSAGE_STATUS = "message.status"
    MESSAGE_EDITED = "message.edited"
    MESSAGE_DELETED = "message.deleted"
    MESSAGE_LOST = "message.lost"
    REACTION_ADDED = "reaction.added"
    REACTION_REMOVED = "reaction.removed"
    MEDIA_READY = "media.ready"
    MEDIA_FAILED = "media.failed"
    CONNECTION_CHANGED = "connection.changed"
    PHONE_SILENT = "phone.silent"
    PHONE_SEEN = "phone.seen"


CONNECTION_TYPES = (EventType.CONNECTION_CHANGED, EventType.PHONE_SILENT, EventType.PHONE_SEEN)
"""Events about the link and the phone, which say nothing about a message or a person."""


class Event(models.Model):
    """One event of an organization's log. Only `events.log` writes it."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="log")
    sequence = models.PositiveBigIntegerField(
        help_text="Counts from 1 for each organization, in the order of commits, without gaps."
    )
    type = models.CharField(max_length=40, choices=EventType.choices)
    at = models.DateTimeField(default=timezone.now)
    subject = models.CharField(
        max_length=40, blank=True, help_text="The public id of the message that it is about."
    )
    data = EncryptedJSONField()

    class Meta:
        ordering = ["organization", "sequence"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "sequence"], name="one_event_per_sequence"
            )
        ]
        indexes = [models.Index(fields=["organization", "subject"])]

    def __str__(self) -> str:
        return f"{self.sequence} {self.type}"


class EventCounter(models.Model):
    """The sequence of an organization's newest event. Its row lock orders the writers."""

    organization = models.OneToOneField(
        Organization, on_delete=models.CASCADE, primary_key=True, related_name="event_counter"
    )
    last = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.organization_id}: {self.last}"
