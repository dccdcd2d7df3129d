"""Notify the readers of a log, after a commit, that it has grown. It sends ids, never data."""

from __future__ import annotations

import logging
from collections.abc import Iterable
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
    organization_ids: tuple[int, ...]

    def __call__(self) -> None:
        messages = [
            (group, organization_id)
            for organization_id in self.organization_ids
            for group in (log_group(organization_id), ALL_LOGS_GROUP)
        ]
        async_to_sync(_send)(*messages)


def notify_appended(organization_ids: Iterable[int]) -> None:
    """Notify readers on commit, once for each organization of a transaction."""
    database = transaction.get_connection()
    # A callback of another savepoint may be dropped with it.
    savepoints = set(database.savepoint_ids)
    pending = {
        organization_id
        for ids, found, _ in database.run_on_commit
        if isinstance(found, _Appended) and ids == savepoints
        for organization_id in found.organization_ids
    }
    if new := tuple(found for found in organization_ids if found not in pending):
        transaction.on_commit(_Appended(new))


def wake_workers(organization_id: int | None) -> None:
    """Let workers look, on commit, for what is due in an organization; None: everywhere."""
    transaction.on_commit(partial(async_to_sync(_send), (ALL_LOGS_GROUP, organization_id)))


async def _send(*messages: tuple[str, int | None]) -> None:
    """Send each group the organization whose log has grown."""
    layer = get_channel_layer()
    assert layer is not None, "CHANNEL_LAYERS has no default layer"
    for group, organization_id in messages:
        message = {"type": "log.appended", "organization": organization_id}
        try:
            await layer.group_send(group, message)
        except Exception:
            # The events are committed; readers find them at their next check.
            logger.exception("channel layer did not take a message", extra={"log": organization_id})
