"""Logs devices out at WhatsApp within a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from connections.models import Connection
from connections.stores import StoreDamaged, StoreUnusable
from connections.stores.base import StoreBackend
from connections.worker.hosts.client import ClientHandle
from connections.worker.hosts.handle import HostError
from connections.worker.tasks.connect_limiter import ClientOutdated
from connections.worker.tasks.context import PairingHost
from connections.worker.tasks.event_mapping import Permanent, Retryable, failure_of
from connections.worker.tasks.owned_connection import OwnedConnection


@dataclass(frozen=True)
class LogoutProblem:
    """Why a device was not logged out. `until`: the end of a ban; no login before."""

    text: str
    until: datetime | None = None


NO_CREDENTIALS = LogoutProblem("there were no saved credentials any more")
UNREADABLE = LogoutProblem("the saved credentials could not be read")
NO_ANSWER = LogoutProblem("WhatsApp did not answer in time")
UNREACHABLE = LogoutProblem("WhatsApp could not be reached")
BANNED = "the number is banned for a while, so WhatsApp was not asked"


async def log_out(owned: OwnedConnection, connection: Connection) -> LogoutProblem | None:
    """Log this connection's device out.

    Return None when WhatsApp does not know it any more, else the problem.
    """
    if owned.client is None or not owned.client.connected:
        await owned.close()
        if not owned.store_name:
            return None
        if connection.retry_at is not None and connection.retry_at > timezone.now():
            return LogoutProblem(BANNED, connection.retry_at)
        try:
            if not await owned.linked_number(owned.store_name):
                return NO_CREDENTIALS
        except (StoreDamaged, StoreUnusable):
            return UNREADABLE
    return await _log_out(owned, owned.store_name)


async def log_out_leftovers(owned: OwnedConnection, keep: Collection[str]) -> LogoutProblem | None:
    """Log out devices in stores that abandoned attempts have left.

    Such a store may be of a phone that was refused, so what WhatsApp brings meanwhile is dropped.
    Return None on success or when there were none, else the problem.
    """
    problem = None
    for store in await owned.run_in_thread(
        _other_linked_stores, owned.context.stores, owned.id, keep
    ):
        problem = await log_out_refused(owned, store) or problem
    return problem


def _other_linked_stores(
    stores: StoreBackend, organization_id: int, keep: Collection[str]
) -> list[str]:
    """Return the stores except `keep` in which a phone is linked. Raises StoreUnavailable."""
    found = []
    for store in stores.stores(organization_id) - set(keep):
        # The attempt was abandoned while this store was written: no phone is linked in it.
        with suppress(StoreDamaged, StoreUnusable):
            if stores.linked_number(organization_id, store):
                found.append(store)
    return found


async def _log_out(owned: OwnedConnection, store: str) -> LogoutProblem | None:
    """Log out through the connection's client, or through a new one, and close it."""
    if owned.client is None:
        return await log_out_store(owned, store)
    try:
        async with asyncio.timeout(settings.LOGOUT_TIMEOUT_SECONDS):
            return _problem(await owned.client.logout(settings.LOGOUT_TIMEOUT_SECONDS))
    except TimeoutError:
        return NO_ANSWER
    finally:
        await owned.close()


async def log_out_store(owned: OwnedConnection, store: str) -> LogoutProblem | None:
    """Log a store's device out through a new client.

    Return None when WhatsApp does not know it any more, else the problem.
    """

    async def open_client(proxy: str) -> ClientHandle:
        return await owned.context.clients.open(owned.id, store, dedicated=True, proxy=proxy)

    return await _log_out_through(owned, open_client)


async def log_out_refused(owned: OwnedConnection, store: str) -> LogoutProblem | None:
    """Log out the phone of a pairing's store, whose number this organization may not have.

    What WhatsApp brings meanwhile is not the organization's, so it is dropped. See `log_out_store`.
    """
    hosts: list[PairingHost] = []

    async def open_client(proxy: str) -> ClientHandle:
        hosts.append(await owned.context.clients.take_host())
        return hosts[0].open(owned.context.stores.database(owned.id, store), proxy=proxy)

    try:
        return await _log_out_through(owned, open_client)
    finally:
        for host in hosts:
            host.kill()


async def _log_out_through(
    owned: OwnedConnection, open_client: Callable[[str], Awaitable[ClientHandle]]
) -> LogoutProblem | None:
    """Log a device out through a new client. `open_client`: opens it with a proxy."""
    client = None
    try:
        async with asyncio.timeout(settings.LOGOUT_TIMEOUT_SECONDS):
            await owned.context.connect_limiter.acquire(urgent=True)
            client = await open_client(await owned.find_proxy())
            await _wait_until_connected(client)
            return _problem(await client.logout(settings.LOGOUT_TIMEOUT_SECONDS))
    except TimeoutError:
        return NO_ANSWER
    except Permanent:
        return None  # WhatsApp has forgotten this device already.
    except Retryable as failure:
        return LogoutProblem(BANNED, failure.until) if failure.until else UNREACHABLE
    except (HostError, ClientOutdated):
        return UNREACHABLE
    finally:
        if client is not None:
            await client.close()


def _problem(error: str) -> LogoutProblem | None:
    return LogoutProblem(error) if error else None


async def _wait_until_connected(client: ClientHandle) -> None:
    """Wait for the login. Raises Retryable, Permanent."""
    while (event := await client.next())["event"] != "connected":
        if ended := failure_of(event):
            raise ended
