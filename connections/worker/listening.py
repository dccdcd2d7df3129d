"""Listens to a group of the channel layer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from channels.layers import get_channel_layer

REJOIN_SECONDS = 3600.0


async def listen(group: str, notify: Callable[[Mapping[str, Any]], Awaitable[None]]) -> None:
    """Call `notify` with each message to a group, until it is cancelled."""
    layer = get_channel_layer()
    assert layer is not None
    channel = await layer.new_channel()
    while True:
        # Group memberships expire after a day.
        await layer.group_add(group, channel)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REJOIN_SECONDS):
                while True:
                    await notify(await layer.receive(channel))
