"""Messages, and what belongs to their sending: idempotency keys and early receipts."""

from __future__ import annotations

import hashlib

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import pgettext_lazy

from messaging.models.contacts import Contact
from messaging.models.identifiers import new_public_id
from messaging.models.media import Media
from organizations.encryption import EncryptedJSONField
from organizations.models import ACTOR_LENGTH, ApiToken, Organization


class Message(models.Model):
    """One message of an organization, in either direction. Only `messaging.actions` writes it."""

    class Direction(models.TextChoices):
        OUT = "out", lazy("Out")
        IN = "in", lazy("In")
        ELSEWHERE = "elsewhere", lazy("Written on another device")

    class State(models.TextChoices):
        QUEUED = "queued", pgettext_lazy("message", "Queued")
        HELD = "held", pgettext_lazy("message", "Held")
        SENDING = "sending", pgettext_lazy("message", "Sending")
        SENT = "sent", pgettext_lazy("message", "Sent")
        DELIVERED = "delivered", pgettext_lazy("message", "Delivered")
        READ = "read", pgettext_lazy("message", "Read")
        PLAYED = "played", pgettext_lazy("message", "Played")
        FAILED = "failed", pgettext_lazy("message", "Failed")
        UNKNOWN = "unknown", pgettext_lazy("message", "Unknown")
        EXPIRED = "expired", pgettext_lazy("message", "Expired")
        CANCELLED = "cancelled", pgettext_lazy("message", "Cancelled")
        RECEIVED = "received", pgettext_lazy("message", "Received")
        UNREADABLE = "unreadable", pgettext_lazy("message", "Not readable yet")
        LOST = "lost", pgettext_lazy("message", "Lost here, on the phone only")

    class OnUnknown(models.TextChoices):
        KEEP = "keep", lazy("Keep it unknown")
        RESEND = "resend", lazy("Send it once more")
        RESENT = "resent", lazy("It was sent once more")

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="messages"
    )
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="messages")
    public_id = models.CharField(max_length=40, unique=True, default=new_public_id)
    direction = models.CharField(max_length=10, choices=Direction.choices)
    type = models.CharField(max_length=20)
    content = EncryptedJSONField(help_text="The object of its type, and `context`, as JSON.")
    callback_data = EncryptedJSONField(
        null=True, help_text="What the sender wants back in each event about it, a text."
    )
    media = models.ForeignKey(
        Media, on_delete=models.SET_NULL, null=True, blank=True, related_name="messages"
    )
    state = models.CharField(lazy("state"), max_length=12, choices=State.choices)
    reason = models.CharField(max_length=40, blank=True)
    whatsapp_id = models.CharField(max_length=100, blank=True)
    group = models.CharField(max_length=60, blank=True, help_text="The group's address, if any.")
    number = models.CharField(
        max_length=20, blank=True, help_text="The linked number at that time, digits."
    )

    created_at = models.DateTimeField(default=timezone.now)
    happened_at = models.DateTimeField(
        default=timezone.now, help_text="When it was written, by WhatsApp's clock."
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(
        null=True, blank=True, help_text="A try that never reached WhatsApp is repeated then."
    )
    sending_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    played_at = models.DateTimeField(null=True, blank=True)
    read_mark_pending = models.BooleanField(
        default=False, help_text="It was read here, and WhatsApp was not told yet."
    )
    ended_at = models.DateTimeField(
        null=True, blank=True, help_text="When it failed, expired, was cancelled or became unknown."
    )

    resends = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="resent",
        help_text="The message that it sends once more.",
    )
    erased_at = models.DateTimeField(
        null=True, blank=True, help_text="When what it says was erased."
    )
    tries = models.PositiveSmallIntegerField(default=0)
    claim = models.PositiveBigIntegerField(
        default=0, help_text="The claim of the connection's owner that is sending it."
    )
    on_unknown = models.CharField(
        max_length=10, choices=OnUnknown.choices, default=OnUnknown.KEEP.value
    )
    actor = models.CharField(max_length=ACTOR_LENGTH, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    token = models.ForeignKey(ApiToken, on_delete=models.SET_NULL, null=True, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name = lazy("message")
        verbose_name_plural = lazy("messages")
        constraints = [
            models.UniqueConstraint(
                # With the direction: whoever gets a message could choose its id for an own one.
                fields=["organization", "contact", "whatsapp_id", "direction"],
                condition=~Q(whatsapp_id=""),
                name="one_message_per_chat_and_id",
            )
        ]
        indexes = [
            models.Index(
                fields=["organization", "id"],
                condition=Q(state__in=["queued", "held", "sending"]),
                name="messages_waiting",
            ),
            models.Index(fields=["id"], condition=Q(state="sending"), name="messages_being_sent"),
            models.Index(
                fields=["created_at"], condition=Q(state="unreadable"), name="messages_unreadable"
            ),
            models.Index(
                fields=["expires_at"],
                condition=Q(state__in=["queued", "held"]),
                name="messages_to_expire",
            ),
            models.Index(
                fields=["organization", "sending_at"],
                condition=Q(sending_at__isnull=False),
                name="messages_by_sending",
            ),
            models.Index(
                fields=["organization", "id"],
                condition=Q(read_mark_pending=True),
                name="read_marks_pending",
            ),
            models.Index(
                fields=["token", "created_at"],
                condition=Q(token__isnull=False),
                name="messages_by_token",
            ),
            models.Index(
                fields=["contact", "created_at"],
                condition=Q(direction="out"),
                name="messages_to_contact",
            ),
            models.Index(fields=["organization", "-id"]),
            models.Index(fields=["organization", "whatsapp_id"]),
            # It has all columns of the counts of today; see docs/performance.md.
            models.Index(
                fields=["organization", "direction", "created_at", "state"],
                name="messages_by_time_and_state",
            ),
            models.Index(fields=["contact", "-id"]),
            # The counts of all organizations: of past days, and of what is in a rare state.
            models.Index(fields=["created_at"]),
            models.Index(fields=["state", "organization", "created_at"]),
        ]

    def __str__(self) -> str:
        return f"Message {self.public_id} ({self.state})"

    @property
    def secret(self) -> bytes:
        """The 32 bytes that the library stores beside WhatsApp's id before it sends.

        Each try has its own, so that the id of a repeated message is never an older try's.
        """
        return self.secret_of_try(self.tries)

    def secret_of_try(self, number: int) -> bytes:
        """The secret of one of the tries, which count from 1."""
        return hashlib.sha256(f"message {self.public_id} try {number}".encode()).digest()


CANCELLABLE_STATES = (Message.State.QUEUED, Message.State.HELD)
"""The states of an outgoing message that can be cancelled, and that expires."""

UNSENT_STATES = (*CANCELLABLE_STATES, Message.State.SENDING)
"""The states of an outgoing message of which nobody can say yet what becomes of it."""

IN_QUEUE_STATES = (Message.State.QUEUED, Message.State.SENDING)
"""The states of an outgoing message that waits for its turn, or is being sent."""

ARRIVED_STATES = (Message.State.DELIVERED, Message.State.READ, Message.State.PLAYED)
"""The states of an outgoing message that has reached its recipient."""

ACCEPTED_STATES = (Message.State.SENT, *ARRIVED_STATES)
"""The states of an outgoing message that WhatsApp has taken."""

FAILED_STATES = (Message.State.FAILED, Message.State.EXPIRED)
"""The states that pages count as failed: nothing went out, and nobody asked for that."""

NEVER_LEFT_STATES = (*FAILED_STATES, Message.State.CANCELLED)
"""The states that say that nothing went out."""

FILLABLE_STATES = frozenset({Message.State.UNREADABLE, Message.State.LOST})
"""The states of a received message whose text is not known, and may still come."""

MEDIA_MESSAGES = frozenset({"image", "video", "audio", "document", "sticker"})
"""The types of messages that carry a file."""

ABOUT_MESSAGES = frozenset({"reaction", "edit", "delete"})
"""The types of messages that are about another one."""


class IdempotencyKey(models.Model):
    """The `Idempotency-Key` of a request, and the message that it made."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    key_hash = models.CharField(max_length=64)
    body_hash = models.CharField(max_length=64)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "key_hash"], name="one_message_per_idempotency_key"
            )
        ]
        indexes = [models.Index(fields=["created_at"])]

    def __str__(self) -> str:
        return f"Key of message {self.message_id}"


class HandledId(models.Model):
    """The id of a message from WhatsApp that made no row: a reaction, an edit, a group's message.

    It is handled once, however often it arrives, and is not taken for a lost message.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    whatsapp_id = models.CharField(max_length=100)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "whatsapp_id"], name="handled_once_per_id"
            )
        ]
        indexes = [models.Index(fields=["at"])]

    def __str__(self) -> str:
        return f"Handled in {self.organization_id}"


class HistoryId(models.Model):
    """The id of an old message, which the phone has sent with its history; it made no row.

    It is not taken for a lost message. If the message itself arrives, it is received as any other.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    whatsapp_id = models.CharField(max_length=100)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "whatsapp_id"], name="one_row_per_history_id"
            )
        ]
        indexes = [models.Index(fields=["at"])]

    def __str__(self) -> str:
        return f"In a history of {self.organization_id}"


class EarlyReceipt(models.Model):
    """A receipt that came before the id of its message was stored."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    whatsapp_id = models.CharField(max_length=100)
    state = models.CharField(max_length=12, choices=Message.State.choices)
    at = models.DateTimeField()
    stored_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["organization", "whatsapp_id"]),
            models.Index(fields=["stored_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.state} receipt"
