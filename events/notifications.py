"""Notify the readers of a log, after a commit, that it has grown. It sends ids, never data."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

logger = logging.getLogger(__name__)


ALL_LOGS_GROUP = "logs"
"""Gets a message for every log: workers that deliver webhooks listen to it."""


def log_group(organization_id: int) -> str:
    """Return the name of the group of one organization's log."""
    return f"log.{organization_id}"


@dataclass(frozen=True)
class _Appended:
    organization_id: int

    def __call__(self) -> None:
        async_to_sync(_send)(self.organization_id, log_group(self.organization_id), ALL_LOGS_GROUP)


def notify_appended(organization_id: int) -> None:
    """Notify readers on commit, once for each organization of a transaction."""
    callback, database = _Appended(organization_id), transaction.get_connection()
    # A callback of another savepoint may be dropped with it.
    savepoints = set(database.savepoint_ids)
    pending = database.run_on_commit
    if not any(found == callback and ids == savepoints for ids, found, _ in pending):
        transaction.on_commit(callback)


def wake_workers(organization_id: int | None) -> None:
    """Let workers look, on commit, for what is due in an organization; None: everywhere."""
    transaction.on_commit(partial(async_to_sync(_send), organization_id, ALL_LOGS_GROUP))


async def _send(organization_id: int | None, *groups: str) -> None:
    layer = get_channel_layer()
    assert layer is not None, "CHANNEL_LAYERS has no default layer"
    message = {"type": "log.appended", "organization": organization_id}
    for group in groups:
        try:
            await layer.group_send(group, message)
        except Exception:
            # The events are committed; readers find them at their next check.
            logger.exception("channel layer did not take a message", extra={"log": organization_id})
