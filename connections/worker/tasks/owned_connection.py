"""A connection that this worker owns: its fence, its client, and what may be written about it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db import connection as database

from connections import actions
from connections.actions import Fence
from connections.lifecycle import AnyObservation
from connections.models import Connection
from connections.outages import OutageLog, delays
from connections.stores import StoreUnavailable
from connections.worker.hosts.client import Link
from connections.worker.tasks.context import TaskContext

logger = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.2, 2.0


class OwnedConnection:
    """One request (a generation) of one connection, as its worker knows it."""

    def __init__(self, context: TaskContext, connection: Connection, link: Link | None) -> None:
        self.context = context
        self.id: int = connection.pk
        self.fence = Fence.of(connection)
        self.link = link
        self.store_name = connection.store_name
        # Whether a person waits for this, who would rather have a QR code than an explanation.
        self.requested = connection.started_generation < connection.generation

    async def db(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a database function on the worker's own thread."""
        return await self.context.db(function, *arguments)

    async def thread(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function that touches credentials, on any thread.

        While their database is away it is tried again for as long as it takes, as in `db`.
        """
        outage = OutageLog(logger, "the credentials are away")
        waits = delays(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        while True:
            try:
                return await self.context.to_thread(function, *arguments)
            except StoreUnavailable as away:
                outage.record_failure(organization=self.id, why=str(away))
            await asyncio.sleep(next(waits))

    async def change(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function that changes this connection's stores, as only its owner may."""
        change = partial(function, self.id, *arguments)
        if settings.DATABASE_URL:
            change = partial(_as_owner, self.fence, change)
        return await self.thread(change)

    async def linked_number(self, store: str) -> str:
        """Return the number whose credentials a store holds, "" for none.

        Raises StoreDamaged, StoreUnusable.
        """
        return await self.thread(self.context.stores.linked_number, self.id, store)

    async def observe(
        self, observation: AnyObservation, detail: str = "", retry_at: datetime | None = None
    ) -> None:
        """Write down what happened. Raises Superseded."""
        await self.db(actions.record_event, self.fence, observation, detail, retry_at)

    async def banned_until(self) -> datetime | None:
        """Return until when WhatsApp must not be tried, None if it may be."""
        return await self.db(_banned_until, self.id)

    async def close(self) -> None:
        """Close the client that is open, if one is."""
        if self.link is not None:
            link, self.link = self.link, None
            await link.close()


def _as_owner(fence: Fence, change: Callable[[], T]) -> T:
    """Call `change` while the fence holds. Raises Superseded, StoreUnavailable, its own errors."""
    try:
        return actions.as_owner(fence, change)
    except (OperationalError, InterfaceError) as error:
        raise StoreUnavailable(str(error).strip()) from error
    finally:
        database.close()


def _banned_until(connection_id: int) -> datetime | None:
    return Connection.objects.get(pk=connection_id).banned_until
