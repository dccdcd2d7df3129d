"""Logging out at WhatsApp, within a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress

from django.conf import settings
from django.utils import timezone

from connections.models import Connection
from connections.stores import StoreDamaged, StoreUnusable
from connections.stores.base import StoreBackend
from connections.worker.hosts.client import Link
from connections.worker.hosts.handle import HostBroken
from connections.worker.tasks.connect_limiter import Outdated
from connections.worker.tasks.event_mapping import Permanent, Retryable, ending
from connections.worker.tasks.owned_connection import OwnedConnection


async def log_out(owned: OwnedConnection, connection: Connection) -> str | None:
    """Log this connection's device out.

    Return None when WhatsApp has forgotten it or never knew it, else what went wrong.
    """
    if owned.link is None or not owned.link.connected:
        await owned.close()
        if not owned.store_name:
            return None
        if connection.retry_at is not None and connection.retry_at > timezone.now():
            return "the number is banned for a while, so WhatsApp was not asked"
        try:
            if not await owned.linked_number(owned.store_name):
                return "there were no saved credentials any more"
        except (StoreDamaged, StoreUnusable):
            return "the saved credentials could not be read"
    return await _log_out(owned, owned.store_name)


async def log_out_leftovers(owned: OwnedConnection, keep: Collection[str]) -> str | None:
    """Log out what a phone was linked in by an attempt that was given up in that very moment.

    Return None when there was nothing or WhatsApp was told, else what went wrong.
    """
    trouble = None
    for store in await owned.thread(_linked_beside, owned.context.stores, owned.id, keep):
        trouble = await _log_out(owned, store) or trouble
    return trouble


def _linked_beside(stores: StoreBackend, organization_id: int, keep: Collection[str]) -> list[str]:
    """Return the stores beside these in which a phone is linked. Raises StoreUnavailable."""
    found = []
    for store in stores.stores(organization_id) - set(keep):
        # One that was being written when the attempt was given up: no one is linked in it.
        with suppress(StoreDamaged, StoreUnusable):
            if stores.linked_number(organization_id, store):
                found.append(store)
    return found


async def _log_out(owned: OwnedConnection, store: str) -> str | None:
    """Log out by the connection's own client, or by one that is opened for it, and close that."""
    if owned.link is None:
        return await log_out_store(owned, store)
    try:
        async with asyncio.timeout(settings.LOGOUT_TIMEOUT_SECONDS):
            return await owned.link.logout(settings.LOGOUT_TIMEOUT_SECONDS) or None
    except TimeoutError:
        return "WhatsApp did not answer in time"
    finally:
        await owned.close()


async def log_out_store(owned: OwnedConnection, store: str) -> str | None:
    """Log a store's device out by a client of its own.

    Return None when WhatsApp has forgotten it or was told, else what went wrong.
    """
    link = None
    try:
        async with asyncio.timeout(settings.LOGOUT_TIMEOUT_SECONDS):
            await owned.context.connect_limiter.acquire(urgent=True)
            link = await owned.context.clients.open(owned.id, store, alone=True)
            await _until_connected(link)
            return await link.logout(settings.LOGOUT_TIMEOUT_SECONDS) or None
    except TimeoutError:
        return "WhatsApp did not answer in time"
    except Permanent:
        return None  # WhatsApp has forgotten this device already.
    except (Retryable, HostBroken, Outdated):
        return "WhatsApp could not be reached"
    finally:
        if link is not None:
            await link.close()


async def _until_connected(link: Link) -> None:
    """Wait for the login. Raises Retryable, Permanent."""
    while (event := await link.next())["event"] != "connected":
        if ended := ending(event):
            raise ended
