"""Notices: what one address is told, and whether it left."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy

from notices.models.addresses import Address
from notices.models.troubles import Trouble


class Notice(models.Model):
    """One message to one address. It leaves at least once."""

    class Kind(models.TextChoices):
        TROUBLE = "trouble", lazy("Trouble")
        RECOVERY = "recovery", lazy("All well again")
        TEST = "test", lazy("Test")
        CONFIRM = "confirm", lazy("Confirmation of an address")

    class State(models.TextChoices):
        WAITING = "waiting", lazy("Waits")
        SENT = "sent", lazy("Sent")
        FAILED = "failed", lazy("Could not be sent")
        DROPPED = "dropped", lazy("Not sent")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices"
    )
    address = models.ForeignKey(
        Address, on_delete=models.SET_NULL, null=True, related_name="notices"
    )
    label = models.CharField(max_length=260, help_text="Of the address, which may be gone.")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    cause = models.CharField(
        max_length=40, blank=True, help_text="The one reason of all its troubles, if it has one."
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField(default=timezone.now)
    next_at = models.DateTimeField(default=timezone.now)
    tries = models.PositiveSmallIntegerField(default=0)
    ended_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=20, blank=True, help_text="Of the last try.")
    status = models.PositiveSmallIntegerField(default=0, help_text="What a server answered.")
    lease_owner = models.CharField(max_length=40, blank=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(
                fields=["next_at"], condition=models.Q(state="waiting"), name="waiting_notices"
            ),
            models.Index(fields=["user", "created_at"]),
        ]

    def __str__(self) -> str:
        return f"Notice {self.pk}: {self.kind}"


class Telling(models.Model):
    """That an address is told of a trouble: by which notice, and of its end by which.

    `earlier` and `earlier_level`: what had left before `notice` was to tell of a higher level.
    """

    trouble = models.ForeignKey(Trouble, on_delete=models.CASCADE, related_name="tellings")
    address = models.ForeignKey(Address, on_delete=models.CASCADE, related_name="tellings")
    level = models.PositiveSmallIntegerField(help_text="0: the notice was not sent.")
    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="tellings")
    earlier = models.ForeignKey(
        Notice, on_delete=models.SET_NULL, null=True, related_name="earlier_tellings"
    )
    earlier_level = models.PositiveSmallIntegerField(null=True)
    recovery = models.ForeignKey(
        Notice, on_delete=models.SET_NULL, null=True, related_name="recoveries"
    )
    closed = models.BooleanField(default=False, help_text="Nothing more is told of it.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["trouble", "address"], name="one_telling_per_trouble_and_address"
            )
        ]

    def __str__(self) -> str:
        return f"{self.trouble_id} to {self.address_id}"

    @property
    def sent_notice(self) -> Notice | None:
        """The newest notice of the trouble that was sent."""
        return self.notice if self.notice.state == Notice.State.SENT else self.earlier

    @property
    def sent_level(self) -> int:
        """The level of the trouble in that notice, 0 for none."""
        if self.notice.state == Notice.State.SENT:
            return self.level
        return self.earlier_level or 0


class Total(models.Model):
    """How many notices have ended in a way, in all, for the metrics. No row is ever deleted."""

    state = models.CharField(max_length=10, unique=True)
    count = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.state}: {self.count}"
