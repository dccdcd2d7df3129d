"""Signals between the web server and the worker that it started, over a socket.

Each of the two processes has a channel layer in memory. What one of them sends to a group reaches
the group's channels in both.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from typing import Any

from channels.layers import InMemoryChannelLayer

logger = logging.getLogger(__name__)

# What may wait for a process that is stopped: some ten thousand signals. Receivers of lost ones
# read the database by themselves now and then.
MAX_WAITING_BYTES = 4 * 1024 * 1024


class RelayedLayer(InMemoryChannelLayer):
    """The channel layer in memory, for two related processes."""

    relay: Relay | None = None

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send to the channels of a group here and in the other process."""
        await self.send_here(group, message)
        if self.relay is not None:
            self.relay.send(group, message)

    async def send_here(self, group: str, message: dict[str, Any]) -> None:
        """Send to the channels of a group in this process."""
        await super().group_send(group, message)


class Relay:
    """One end of the socket between two processes, and the layer of this one."""

    def __init__(self, end: socket.socket, layer: Any) -> None:
        """`layer`: the channel layer; one that is not in memory needs no relay."""
        self._end = end
        self._layer = layer if isinstance(layer, RelayedLayer) else None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._is_full = False

    async def run(self) -> None:
        """Take signals from the other process until it ends."""
        self._loop = asyncio.get_running_loop()
        reader, self._writer = await asyncio.open_unix_connection(sock=self._end)
        if self._layer is not None:
            self._layer.relay = self
        try:
            while (line := await reader.readline()).endswith(b"\n"):
                if self._layer is not None:
                    await self._layer.send_here(*json.loads(line))
                    # The receivers take it now: their queues are limited.
                    await asyncio.sleep(0)
        except ConnectionError:
            pass  # The other process was killed.
        finally:
            if self._layer is not None:
                self._layer.relay = None
            self._writer.close()

    def send(self, group: str, message: dict[str, Any]) -> None:
        """Send a signal, from any thread."""
        assert self._loop is not None, "the relay does not run yet"
        line = json.dumps([group, message]).encode() + b"\n"
        if asyncio.get_running_loop() is self._loop:
            self._write(line)
        else:
            self._loop.call_soon_threadsafe(self._write, line)

    def _write(self, line: bytes) -> None:
        assert self._writer is not None
        if self._writer.is_closing():
            return
        was_full, waiting = self._is_full, self._writer.transport.get_write_buffer_size()
        self._is_full = waiting > MAX_WAITING_BYTES
        if not self._is_full:
            self._writer.write(line)
        elif not was_full:
            logger.error("the other process takes no signals; they are dropped until it does")
