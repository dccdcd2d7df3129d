"""Waiting for a connection to get somewhere: for requests that answer when something is done."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import TypeVar

from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer
from django.db import connection as database

from connections.broadcast import group_of, leave

T = TypeVar("T")

# Should the channel layer lose a message, this is how late we are.
LOOK_AGAIN_SECONDS = 1.0

# The process is being stopped: who waits is told at once how far things are.
stopping = threading.Event()

# What a request does while it waits, so that it is in nobody's way.
step_aside: ContextVar[Callable[[], AbstractContextManager[None]]] = ContextVar(
    "step_aside", default=nullcontext
)


def wait_for(connection_id: int, look: Callable[[], T | None], seconds: float) -> T | None:
    """The first answer of `look` that is not None; None after `seconds`, or when all is stopped.

    `look` reads the database: at once, and again whenever the connection has changed.
    """
    with step_aside.get()():
        return async_to_sync(_wait_for)(connection_id, look, seconds)


async def _wait_for(connection_id: int, look: Callable[[], T | None], seconds: float) -> T | None:
    layer = get_channel_layer()
    assert layer is not None, "CHANNEL_LAYERS has no default layer"
    group = group_of(connection_id)
    channel = await layer.new_channel()
    await layer.group_add(group, channel)
    # One that goes on over several looks: a layer forgets the channel of one that is cancelled.
    heard = asyncio.ensure_future(layer.receive(channel))
    deadline = asyncio.get_running_loop().time() + seconds
    try:
        while (found := await sync_to_async(_looked)(look)) is None:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or stopping.is_set():
                return None
            await asyncio.wait({heard}, timeout=min(left, LOOK_AGAIN_SECONDS))
            if heard.done():
                heard.result()
                heard = asyncio.ensure_future(layer.receive(channel))
        return found
    finally:
        heard.cancel()
        await asyncio.wait({heard})
        await leave(layer, group, channel)


def _looked(look: Callable[[], T]) -> T:
    try:
        return look()
    finally:
        # Of a pool of connections, no one holds one while he waits.
        if database.vendor != "sqlite" and not database.in_atomic_block:
            database.close_if_unusable_or_obsolete()
