"""Workers that deliver webhooks within a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from django.db import connections as databases

from connections.worker.listening import listen
from events import notifications
from webhooks.worker import WebhookDeliveries


class Worker:
    """A worker without a supervisor: its deliveries and the tasks that run them."""

    def __init__(self, deliveries: WebhookDeliveries) -> None:
        self.deliveries = deliveries
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> Self:
        functions = [self.deliveries.run(), self.deliveries._follow()]
        for group, notify in self.deliveries.listeners.items():
            functions.append(listen(group, notify))
        self._tasks = [asyncio.create_task(function) for function in functions]
        return self

    async def stop(self) -> None:
        """Stop as the supervisor does."""
        await self._cancel()
        await self.deliveries.close()

    async def kill(self) -> None:
        """End without storing anything or giving a lease back."""
        await self._cancel()
        notifications.remove_own_reader(self.deliveries._polls.notice_own)
        self.deliveries._abandon()
        await self.deliveries._db(databases.close_all)
        self.deliveries._database.close()
        await self.deliveries._resources.aclose()

    async def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        for error in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(error, Exception):
                raise error


@asynccontextmanager
async def working(lease_seconds: float = 30.0) -> AsyncIterator[Worker]:
    """Deliver webhooks in the block."""
    worker = Worker(WebhookDeliveries(lease_seconds)).start()
    try:
        yield worker
    finally:
        await worker.stop()
