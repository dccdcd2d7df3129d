"""Tracks whether a client reads what is sent to it."""

from __future__ import annotations

import asyncio

from twisted.internet import interfaces
from zope.interface import implementer


@implementer(interfaces.IPushProducer)
class FlowControl:
    """Tracks whether the client reads: the transport pauses it while the send buffer is full."""

    def __init__(self) -> None:
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def is_writable(self) -> bool:
        return self._writable.is_set()

    async def wait(self) -> None:
        await self._writable.wait()

    def pauseProducing(self) -> None:
        self._writable.clear()

    def resumeProducing(self) -> None:
        self._writable.set()

    def stopProducing(self) -> None:
        """Release the waiting senders: the client is gone."""
        self._writable.set()
