"""Notify readers and workers, after a commit, that a connection changed. It sends ids, never data.

Each receiver reads the database again. A lost message therefore costs only time: every receiver
also reads by itself now and then.
"""

import logging
from dataclasses import dataclass
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

logger = logging.getLogger(__name__)

WORKERS = "workers"
WORK = "work"
"""Workers listen to it for work of other kinds (connections/worker/polling.py)."""
ALL_CONNECTIONS_GROUP = "connections"
"""Gets a message for every connection; each consumer decides what its client may see."""


def connection_group(connection_id: int) -> str:
    """Return the name of the group of one connection."""
    return f"connection.{connection_id}"


def outbox_group(connection_id: int) -> str:
    """Return the name of the group for what one organization sends.

    In it are its open pages, and the worker that has its connection.
    """
    return f"outbox.{connection_id}"


def notify_changed(connection_id: int) -> None:
    """Notify readers, on commit, that a connection has changed."""
    _on_commit(connection_id, connection_group(connection_id), ALL_CONNECTIONS_GROUP)


def notify_requested(connection_id: int) -> None:
    """Notify readers and workers, on commit, that a worker has to do something."""
    _on_commit(connection_id, connection_group(connection_id), ALL_CONNECTIONS_GROUP, WORKERS)


def notify_outbox(connection_id: int) -> None:
    """Notify, on commit, the worker of an organization and its pages of a message to send."""
    _on_commit(connection_id, outbox_group(connection_id))


def notify_typing(connection_id: int, contact_id: int, typing: bool) -> None:
    """Let its worker show a contact that an organization types, or does not any more."""
    message = {"type": "outbox.typing", "connection": connection_id}
    message |= {"contact": contact_id, "typing": typing}
    async_to_sync(_send_to_group)(outbox_group(connection_id), message)


def notify_work(kind: str) -> None:
    """Let workers look, on commit, for work of a kind: see the keys of `WorkPolls`."""
    message = {"type": "work.waits", "kind": kind}
    transaction.on_commit(partial(async_to_sync(_send_to_group), WORK, message))


def reaches_others() -> bool:
    """Return whether messages reach other processes now, as far as the running loop knows."""
    return bool(getattr(get_channel_layer(), "is_available", True))


async def leave_group(layer: Any, group: str, channel: str) -> None:
    """Remove a channel from its group and from the layer; the one in memory needs no `forget`."""
    await layer.group_discard(group, channel)
    if forget := getattr(layer, "forget", None):
        await forget(channel)


@dataclass
class PendingNotifications:
    """The groups to notify of each connection after a commit."""

    groups: dict[int, dict[str, None]]

    def __call__(self) -> None:
        _send(*((pk, tuple(groups)) for pk, groups in self.groups.items()))


def _send(*notifications: tuple[int, tuple[str, ...]]) -> None:
    async_to_sync(_send_async)(*notifications)


def _on_commit(connection_id: int, *groups: str) -> None:
    """Send to the groups on commit, once for each connection, all of a transaction together."""
    database = transaction.get_connection()
    for savepoints, callback, _ in database.run_on_commit:
        if savepoints != set(database.savepoint_ids):
            continue
        if isinstance(callback, PendingNotifications):
            callback.groups.setdefault(connection_id, {}).update(dict.fromkeys(groups))
            return
    transaction.on_commit(PendingNotifications({connection_id: dict.fromkeys(groups)}))


async def _send_async(*notifications: tuple[int, tuple[str, ...]]) -> None:
    for connection_id, groups in notifications:
        message = {"type": "connection.changed", "connection": connection_id}
        for group in groups:
            await _send_to_group(group, message)


async def _send_to_group(group: str, message: dict[str, Any]) -> None:
    layer = get_channel_layer()
    assert layer is not None, "CHANNEL_LAYERS has no default layer"
    try:
        await layer.group_send(group, message)
    except Exception:
        # What it is about is committed; readers and workers find it at their next check.
        logger.exception("channel layer did not take a message", extra={"group": group})
