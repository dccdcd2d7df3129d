"""Telling the others: after a commit, "connection N changed" goes out. An id, never data.

Everyone who hears it reads the database again, so a lost message costs time and nothing else:
every reader also looks by itself now and then.
"""

import logging
from dataclasses import dataclass
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

logger = logging.getLogger(__name__)

WORKERS = "workers"
ALL_CONNECTIONS_GROUP = "connections"
"""The group that hears of every connection; what of it someone may see, its reader decides."""


def group_of(connection_id: int) -> str:
    """The group that hears of one connection."""
    return f"connection.{connection_id}"


def changed(connection_id: int) -> None:
    """Tell the readers, on commit, that a connection is not what it was."""
    _on_commit(connection_id, group_of(connection_id), ALL_CONNECTIONS_GROUP)


def requested(connection_id: int) -> None:
    """Tell the readers and the workers, on commit, that something is wanted of a connection."""
    _on_commit(connection_id, group_of(connection_id), ALL_CONNECTIONS_GROUP, WORKERS)


async def leave(layer: Any, group: str, channel: str) -> None:
    """Hear of nothing any more. The layer in memory forgets the channel by itself."""
    await layer.group_discard(group, channel)
    if forget := getattr(layer, "forget", None):
        await forget(channel)


@dataclass
class PendingNotification:
    """What is told of one connection after a commit."""

    connection_id: int
    groups: dict[str, None]

    def __call__(self) -> None:
        _tell(self.connection_id, tuple(self.groups))


def _tell(connection_id: int, groups: tuple[str, ...]) -> None:
    async_to_sync(_send)(connection_id, groups)


def _on_commit(connection_id: int, *groups: str) -> None:
    # One visit to the event loop for all of them, however often a transaction says so.
    now = transaction.get_connection()
    for savepoints, said, _ in now.run_on_commit:
        if savepoints != set(now.savepoint_ids) or not isinstance(said, PendingNotification):
            continue
        if said.connection_id == connection_id:
            said.groups.update(dict.fromkeys(groups))
            return
    transaction.on_commit(PendingNotification(connection_id, dict.fromkeys(groups)))


async def _send(connection_id: int, groups: tuple[str, ...]) -> None:
    layer = get_channel_layer()
    assert layer is not None, "CHANNEL_LAYERS has no default layer"
    message = {"type": "connection.changed", "connection": connection_id}
    for group in groups:
        try:
            await layer.group_send(group, message)
        except Exception:
            # What was written stays written; readers and workers find it at their next look.
            logger.exception("channel layer did not take a message", extra={"group": group})
