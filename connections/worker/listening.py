"""Listens to groups of the channel layer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
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


class GroupsListener:
    """Listens to groups that change while it runs.

    `wanted`: returns the names of the groups now. `notify`: gets each message to them. `joined`:
    called after it has joined some; what was sent to them before, nobody here has heard.
    """

    def __init__(
        self,
        wanted: Callable[[], Iterable[str]],
        notify: Callable[[Mapping[str, Any]], Awaitable[None]],
        joined: Callable[[], None],
    ) -> None:
        self._wanted, self._notify, self._joined = wanted, notify, joined
        self._changed = asyncio.Event()

    def update(self) -> None:
        """Join and leave groups soon, as is wanted now."""
        self._changed.set()

    async def run(self) -> None:
        """Listen until it is cancelled."""
        layer = get_channel_layer()
        assert layer is not None
        channel = await layer.new_channel()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(layer, channel), name="join and leave groups")
            while True:
                await self._notify(await layer.receive(channel))

    async def _follow(self, layer: Any, channel: str) -> None:
        """Be in the groups that are wanted, until cancelled."""
        members: set[str] = set()
        expire = False
        while True:
            self._changed.clear()
            wanted = set(self._wanted())
            for group in members - wanted:
                await layer.group_discard(group, channel)
            missing = wanted if expire else wanted - members
            for group in missing:
                await layer.group_add(group, channel)
            members = wanted
            if missing:
                self._joined()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REJOIN_SECONDS):
                    await self._changed.wait()
            expire = not self._changed.is_set()
