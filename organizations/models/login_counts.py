"""The table of failed logins that all processes share (organizations/login/throttle.py)."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class LoginCount(models.Model):
    """The number of failed logins from one network, by one name, of one account, or of one browser.

    A user's name may be typed in several ways; an account counts them all. Only browsers in which
    its user has logged in before have a count.

    The single row of kind "all" counts all failed logins ever.
    """

    class Kind(models.TextChoices):
        ACCOUNT = "account"
        ALL = "all"
        BROWSER = "browser"
        NAME = "name"
        NETWORK = "network"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    # A keyed hash, because people type passwords into the username field by mistake.
    key = models.CharField(max_length=64, blank=True)
    failures = models.PositiveBigIntegerField(default=0)
    started_at = models.DateTimeField(default=timezone.now)
    last_at = models.DateTimeField(default=timezone.now, db_index=True)
    reported = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "key"], name="one_login_count_per_kind_and_key")
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.failures}"
