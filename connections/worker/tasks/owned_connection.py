"""A connection that this worker owns: its fence, its client and its writes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from django.conf import settings
from django.db import connection as database

from connections import actions
from connections.actions import Fence
from connections.database_outages import DATABASE_UNAVAILABLE, as_outage
from connections.lifecycle import AnyObservation, Reason
from connections.models import Connection
from connections.outages import OutageLog, delays
from connections.stores import StoreUnavailable
from connections.worker.hosts.client import ClientHandle
from connections.worker.tasks.context import TaskContext
from connections.worker.tasks.event_mapping import Retryable
from outbound.proxies import ProxyUnusable

logger = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.2, 2.0


class OwnedConnection:
    """One request (a generation) of a connection that this worker owns."""

    def __init__(
        self, context: TaskContext, connection: Connection, client: ClientHandle | None
    ) -> None:
        self.context = context
        self.id: int = connection.pk
        self.fence = Fence.of(connection)
        self.client = client
        self.store_name = connection.store_name
        self.proxied = False  # the last client that was opened uses the organization's own proxy
        # A person waits for this request, and prefers a QR code to an explanation.
        self.requested = connection.started_generation < connection.generation
        # The row as it was claimed, until this task writes it.
        self.claimed = None if self.requested else connection

    async def db(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a database function on the worker's own thread."""
        return await self.context.db(function, *arguments)

    async def run_in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function that accesses stores, in another thread.

        It is retried while the stores' database is unavailable, as in `db`.
        """
        outage = OutageLog(logger, "the credentials are unavailable")
        waits = delays(FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS)
        while True:
            try:
                return await self.context.to_thread(function, *arguments)
            except StoreUnavailable as error:
                outage.record_failure(organization=self.id, why=str(error))
            await asyncio.sleep(next(waits))

    async def change_stores(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function that changes this connection's stores, in another thread.

        On a shared database it runs only while the fence holds. Raises Superseded.
        """
        change = partial(function, self.id, *arguments)
        if settings.DATABASE_URL:
            change = partial(_as_owner, self.fence, change)
        return await self.run_in_thread(change)

    async def linked_number(self, store: str) -> str:
        """Return the number whose credentials a store holds, "" for none.

        Raises StoreDamaged, StoreUnusable.
        """
        return await self.run_in_thread(self.context.stores.linked_number, self.id, store)

    async def record_event(
        self, observation: AnyObservation, detail: str = "", retry_at: datetime | None = None
    ) -> None:
        """Record an event. Raises Superseded."""
        self.claimed = None
        event = actions.LinkEvent(self.fence, observation, detail, retry_at)
        await self.context.record_event(event)

    async def banned_until(self) -> datetime | None:
        """Return when WhatsApp's temporary ban ends, None if there is none."""
        return await self.db(_banned_until, self.id)

    async def find_proxy(self) -> str:
        """Return the URL of the organization's own proxy, "" for none. Raises Retryable."""
        try:
            proxy = await self.context.clients.find_proxy(self.id)
        except ProxyUnusable as error:
            self.proxied = True
            raise Retryable(Reason.PROXY_UNREACHABLE, str(error)) from error
        self.proxied = bool(proxy)
        return proxy

    async def find_lost(self) -> None:
        """Name the messages that were lost, if there is a login. Its client must have ended."""
        if self.store_name:
            await self.context.find_lost(self.fence, self.store_name)

    async def close(self) -> None:
        """Close the open client, if there is one."""
        if self.client is not None:
            client, self.client = self.client, None
            await client.close()


def _as_owner(fence: Fence, change: Callable[[], T]) -> T:
    """Call `change` while the fence holds. Raises Superseded, StoreUnavailable, its own errors."""
    try:
        with as_outage():
            return actions.as_owner(fence, change)
    except DATABASE_UNAVAILABLE as error:
        raise StoreUnavailable(str(error).strip()) from error
    finally:
        database.close()


def _banned_until(connection_id: int) -> datetime | None:
    return Connection.objects.get(pk=connection_id).banned_until
