"""The worker as a child process of the web server, so that neither waits for the other's Python."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from channels.layers import get_channel_layer

from whatsapp_orgs.server import fork
from whatsapp_orgs.server.relay import Relay

Run = Callable[[], Coroutine[Any, Any, None]]


class EmbeddedWorker:
    """The worker's process, as the web server sees it."""

    def __init__(self, run: Run) -> None:
        """Start the process. `run`: what it does until SIGTERM."""
        own_end, worker_end = socket.socketpair()
        self._pid = fork.start(partial(_be_worker, run, own_end, worker_end))
        worker_end.close()
        self._relay = Relay(own_end, get_channel_layer())
        self._ended = False

    async def wait(self) -> int:
        """Exchange signals until the process ends. Returns its exit code, negative for a signal."""
        await self._relay.run()
        return await asyncio.to_thread(self._wait)

    def stop(self) -> None:
        """Let the process end regularly."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process now, if it has not ended."""
        self._signal(signal.SIGKILL)

    def _wait(self) -> int:
        code = fork.wait(self._pid)
        # At once: from now on another process may get this id.
        self._ended = True
        return code

    def _signal(self, number: signal.Signals) -> None:
        if not self._ended:
            os.kill(self._pid, number)


def _be_worker(run: Run, web_server_end: socket.socket, own_end: socket.socket) -> None:
    web_server_end.close()
    os.setpgrp()  # Ctrl-C is for the web server, which stops this process.
    asyncio.run(_run_relayed(run, own_end))


async def _run_relayed(run: Run, end: socket.socket) -> None:
    relaying = asyncio.create_task(Relay(end, get_channel_layer()).run(), name="relay")
    try:
        await run()
    finally:
        relaying.cancel()
        await asyncio.wait([relaying])
