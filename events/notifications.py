"""Notify the readers of a log, after a commit, that it has grown. It sends ids, never data."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

logger = logging.getLogger(__name__)


ALL_LOGS_GROUP = "logs"
"""Gets a message for each log that has grown: workers that deliver webhooks listen to it.

Not for what such a worker appends itself: it delivers that, and the others are not disturbed.
"""

Types = frozenset[str]
Notification = tuple[str, int | None, Types | None]
"""A group, the organization whose log has grown, and the types of what it got, if they are known.
"""
Reader = Callable[[Mapping[int, Types]], None]
"""Takes the types of what was appended to logs, by organization."""

_own_readers: dict[Reader, asyncio.AbstractEventLoop] = {}
_sending: set[asyncio.Task[None]] = set()


def add_own_reader(reader: Reader) -> None:
    """Let a reader take what this process appends, in the place of all workers.

    It is called in the running loop.
    """
    _own_readers[reader] = asyncio.get_running_loop()


def remove_own_reader(reader: Reader) -> None:
    """Undo `add_own_reader`; it may have been undone before."""
    _own_readers.pop(reader, None)


def log_group(organization_id: int) -> str:
    """Return the name of the group of one organization's log."""
    return f"log.{organization_id}"


@dataclass
class _Appended:
    """The types of what one transaction has appended, by organization."""

    types: dict[int, set[str]]

    def __call__(self) -> None:
        types = {pk: frozenset(found) for pk, found in self.types.items()}
        readers = [(log_group(pk), pk, None) for pk in types]
        if own := list(_own_readers.items()):
            for reader, loop in own:
                loop.call_soon_threadsafe(reader, types)
            # Not waited for: what else is to be stored waits for this thread.
            own[0][1].call_soon_threadsafe(_start_sending, readers)
        else:
            workers = [(ALL_LOGS_GROUP, pk, found) for pk, found in types.items()]
            async_to_sync(_send)(*readers, *workers)


def notify_appended(types: Mapping[int, Collection[str]]) -> None:
    """Notify readers on commit, once for each organization of a transaction.

    `types`: of what was appended, by organization.
    """
    database = transaction.get_connection()
    # A callback of another savepoint may be dropped with it.
    savepoints = set(database.savepoint_ids)
    for ids, pending, _ in database.run_on_commit:
        if isinstance(pending, _Appended) and ids == savepoints:
            for organization_id, found in types.items():
                pending.types.setdefault(organization_id, set()).update(found)
            return
    transaction.on_commit(_Appended({pk: set(found) for pk, found in types.items()}))


def wake_workers(organization_id: int | None) -> None:
    """Let workers look, on commit, for what is due in an organization; None: everywhere."""
    transaction.on_commit(partial(async_to_sync(_send), (ALL_LOGS_GROUP, organization_id, None)))


async def tell_workers(organization_ids: Iterable[int]) -> None:
    """Let all workers look for what is due in these organizations."""
    await _send(*((ALL_LOGS_GROUP, organization_id, None) for organization_id in organization_ids))


def _start_sending(messages: Sequence[Notification]) -> None:
    task = asyncio.create_task(_send(*messages), name="notify readers")
    _sending.add(task)
    task.add_done_callback(_sending.discard)


async def _send(*messages: Notification) -> None:
    """Send each group the organization whose log has grown, and the types of what it got."""
    layer = get_channel_layer()
    assert layer is not None, "CHANNEL_LAYERS has no default layer"
    for group, organization_id, types in messages:
        message: dict[str, Any] = {"type": "log.appended", "organization": organization_id}
        if types is not None:
            message["types"] = sorted(types)
        try:
            await layer.group_send(group, message)
        except Exception:
            # The events are committed; readers find them at their next check.
            logger.exception("channel layer did not take a message", extra={"log": organization_id})
