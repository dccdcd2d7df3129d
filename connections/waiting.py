"""Waiting for a connection to get somewhere: for requests that answer when something is done."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer

from connections.broadcast import group_of

T = TypeVar("T")

# Should the channel layer lose a message, this is how late we are.
LOOK_AGAIN_SECONDS = 1.0

# The process is being stopped: who waits is told at once how far things are.
stopping = threading.Event()


def wait_for(connection_id: int, look: Callable[[], T | None], seconds: float) -> T | None:
    """The first answer of `look` that is not None; None after `seconds`, or when all is stopped.

    `look` reads the database: at once, and again whenever the connection has changed.
    """
    return async_to_sync(_wait_for)(connection_id, look, seconds)


async def _wait_for(connection_id: int, look: Callable[[], T | None], seconds: float) -> T | None:
    layer = get_channel_layer()
    assert layer is not None, "CHANNEL_LAYERS has no default layer"
    group = group_of(connection_id)
    channel = await layer.new_channel()
    await layer.group_add(group, channel)
    deadline = asyncio.get_running_loop().time() + seconds
    try:
        while (found := await sync_to_async(look)()) is None:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or stopping.is_set():
                return None
            try:
                async with asyncio.timeout(min(left, LOOK_AGAIN_SECONDS)):
                    await layer.receive(channel)
            except TimeoutError:
                continue
        return found
    finally:
        await layer.group_discard(group, channel)
