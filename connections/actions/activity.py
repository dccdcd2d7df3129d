"""Let workers end or start the task of an organization that is deactivated or reactivated."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from connections import broadcast
from organizations.signals import activity_changed

CONNECTION_TASKS = "connection tasks"
"""The kind of work that workers are notified of (`broadcast.notify_work`)."""


@receiver(activity_changed)
def notify_workers(sender: Any, **kwargs: Any) -> None:
    broadcast.notify_work(CONNECTION_TASKS)
