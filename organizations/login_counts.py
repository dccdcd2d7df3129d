"""The table of failed logins that all processes share (organizations/login_throttle.py)."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class LoginCount(models.Model):
    """Failed logins from one network, for one user name, or of one known browser.

    The one row of kind "all" counts every failed login there ever was.
    """

    class Kind(models.TextChoices):
        ALL = "all"
        BROWSER = "browser"
        NAME = "name"
        NETWORK = "network"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    # A keyed hash: people type passwords where the user name goes.
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
