"""Who has put the newcomer's card away."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class PutAwayCard(models.Model):
    """A person who does not want the newcomer's card on the fleet page any more."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"Card of user {self.user_id}"
