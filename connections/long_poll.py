"""Wait in a request for a result, woken by the messages of a group of the channel layer."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TypeVar

from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer
from django.db import connection as database

from connections.broadcast import leave_group

T = TypeVar("T")

# The longest delay when the channel layer loses a message.
RECHECK_SECONDS = 1.0

# Set when the process is being stopped: waiting requests answer at once.
stopping = threading.Event()

# Entered by a request while it waits; the server frees the request's slot in it.
step_aside: ContextVar[Callable[[], AbstractContextManager[None]]] = ContextVar(
    "step_aside", default=nullcontext
)


def wait_for(group: str, check: Callable[[], T | None], seconds: float) -> T | None:
    """Return the first result of `check` that is not None; None after `seconds` or on a stop.

    `check` reads the database. It is called at once and after each message to the group.
    """
    with step_aside.get()():
        return async_to_sync(_wait_for)(group, check, seconds)


async def _wait_for(group: str, check: Callable[[], T | None], seconds: float) -> T | None:
    layer = get_channel_layer()
    assert layer is not None, "CHANNEL_LAYERS has no default layer"
    channel = await layer.new_channel()
    await layer.group_add(group, channel)
    # One task for several checks: a layer forgets the channel of a receive() that is cancelled.
    message = asyncio.ensure_future(layer.receive(channel))
    deadline = asyncio.get_running_loop().time() + seconds
    try:
        while (result := await sync_to_async(_check)(check)) is None:
            remaining = deadline - asyncio.get_running_loop().time()
            if remaining <= 0 or stopping.is_set():
                return None
            await asyncio.wait({message}, timeout=min(remaining, RECHECK_SECONDS))
            if message.done():
                message.result()
                message = asyncio.ensure_future(layer.receive(channel))
        return result
    finally:
        message.cancel()
        await asyncio.wait({message})
        await leave_group(layer, group, channel)


def _check(check: Callable[[], T]) -> T:
    """Call `check`, then return the database connection to its pool."""
    try:
        return check()
    finally:
        free_database()


@contextmanager
def waiting_for_others() -> Iterator[None]:
    """Give back what a request holds, its slot and its database connection, while it waits.

    It waits for something else than the database: for another server.
    """
    free_database()
    with step_aside.get()():
        yield


def free_database() -> None:
    """Return the database connection to its pool, unless a transaction runs."""
    if database.vendor != "sqlite" and not database.in_atomic_block:
        database.close_if_unusable_or_obsolete()
