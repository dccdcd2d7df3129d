"""Telling the others: after a commit, "connection N changed" goes out. An id, never data.

Everyone who hears it reads the database again, so a lost message costs time and nothing else:
every reader also looks by itself now and then.
"""

import logging
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

logger = logging.getLogger(__name__)

WORKERS = "workers"
EVERYONE = "connections"
"""The group that hears of every connection; what of it someone may see, its reader decides."""


def group_of(connection_id: int) -> str:
    """The group that hears of one connection."""
    return f"connection.{connection_id}"


def changed(connection_id: int) -> None:
    """Tell the readers, on commit, that a connection is not what it was."""
    for group in (group_of(connection_id), EVERYONE):
        transaction.on_commit(partial(_send, group, connection_id))


def requested(connection_id: int) -> None:
    """Tell the readers and the workers, on commit, that something is wanted of a connection."""
    changed(connection_id)
    transaction.on_commit(lambda: _send(WORKERS, connection_id))


async def leave(layer: Any, group: str, channel: str) -> None:
    """Hear of nothing any more. The layer in memory forgets the channel by itself."""
    await layer.group_discard(group, channel)
    if forget := getattr(layer, "forget", None):
        await forget(channel)


def _send(group: str, connection_id: int) -> None:
    layer = get_channel_layer()
    assert layer is not None, "CHANNEL_LAYERS has no default layer"
    try:
        async_to_sync(layer.group_send)(
            group, {"type": "connection.changed", "connection": connection_id}
        )
    except Exception:
        # What was written stays written; readers and workers find it at their next look.
        logger.exception("channel layer did not take a message", extra={"group": group})
