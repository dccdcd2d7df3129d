"""Test messages to the linked number itself."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from connections.lifecycle import State
from connections.models.core import Connection
from organizations.models import ACTOR_LENGTH, ApiToken


class SelfTest(models.Model):
    """A test message to the linked number itself: who requested it, and its result.

    The result is not an event: a message says nothing about the connection's state, and uptime is
    counted from the events.
    """

    TIMEOUT = timedelta(seconds=30)

    class State(models.TextChoices):
        SENDING = "sending", "Sending"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"

    class Failure(models.TextChoices):
        NO_ANSWER = "no_answer", "WhatsApp did not answer in time"
        NOT_SENT = "not_sent", "No worker sent it in time"
        LINK_LOST = "link_lost", "The connection was lost"
        REFUSED = "refused", "WhatsApp refused it"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="self_tests")
    number = models.CharField(max_length=20, help_text="Digits of the number that was tested.")
    text = models.TextField(help_text="In the language of the person who asked.")
    requested_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(help_text="Without an outcome by then, it has failed.")
    taken_at = models.DateTimeField(null=True, blank=True, help_text="A worker began to send it.")
    ended_at = models.DateTimeField(null=True, blank=True)
    failure = models.CharField(max_length=20, choices=Failure.choices, blank=True)
    message_id = models.CharField(max_length=100, blank=True, help_text="WhatsApp's, if sent.")
    actor = models.CharField(max_length=ACTOR_LENGTH, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    token = models.ForeignKey(ApiToken, on_delete=models.SET_NULL, null=True, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True, help_text="Where they asked.")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection"],
                condition=models.Q(ended_at=None),
                name="one_open_self_test_per_connection",
            )
        ]
        indexes = [models.Index(fields=["connection", "-requested_at"])]

    def __str__(self) -> str:
        return f"Self-test {self.pk} of connection {self.connection_id}"

    @classmethod
    def waiting(cls) -> models.QuerySet[SelfTest]:
        """Return the tests that no worker has started to send."""
        return cls.objects.filter(taken_at=None, ended_at=None, expires_at__gt=timezone.now())

    @property
    def expired(self) -> bool:
        """Whether it timed out without a result, also before that is saved."""
        return self.ended_at is None and self.expires_at <= timezone.now()

    @property
    def state(self) -> State:
        if self.expired or self.failure:
            return self.State.FAILED
        return self.State.SENDING if self.ended_at is None else self.State.SENT

    @property
    def effective_failure(self) -> Failure | None:
        """Why it failed, also when the timeout is not saved yet; None if it has not failed."""
        if self.expired:
            return self.Failure.NO_ANSWER if self.taken_at else self.Failure.NOT_SENT
        return self.Failure(self.failure) if self.failure else None
