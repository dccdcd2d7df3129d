"""Logging out at WhatsApp, within a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from connections import auth_sessions
from connections.models import Connection
from connections.worker.client_handle import Link
from connections.worker.connect_limiter import Outdated
from connections.worker.event_mapping import Permanent, Retryable, ending
from connections.worker.host_handle import HostBroken

if TYPE_CHECKING:
    from connections.worker.connection_task import ConnectionTask


async def log_out(session: ConnectionTask, connection: Connection) -> str | None:
    """Log this connection's device out.

    None when WhatsApp has forgotten it or never knew it, else what went wrong.
    """
    if session.link is None or not session.link.connected:
        await session.close()
        if not session.store_name:
            return None
        if connection.retry_at is not None and connection.retry_at > timezone.now():
            return "the number is banned for a while, so WhatsApp was not asked"
        try:
            if not await session.thread(
                auth_sessions.linked_number, session.id, session.store_name
            ):
                return "there were no saved credentials any more"
        except (auth_sessions.Damaged, auth_sessions.Unusable):
            return "the saved credentials could not be read"
    return await _log_out(session, session.store_name)


async def log_out_leftovers(session: ConnectionTask, keep: Collection[str]) -> str | None:
    """Log out what a phone was linked in by an attempt that was given up in that very moment.

    None when there was nothing or WhatsApp was told, else what went wrong.
    """
    trouble = None
    for store in await session.thread(_linked_beside, session.id, keep):
        trouble = await _log_out(session, store) or trouble
    return trouble


def _linked_beside(organization_id: int, keep: Collection[str]) -> list[str]:
    """The stores beside these in which a phone is linked. Raises Away."""
    found = []
    for store in auth_sessions.stores(organization_id) - set(keep):
        # One that was being written when the attempt was given up: no one is linked in it.
        with suppress(auth_sessions.Damaged, auth_sessions.Unusable):
            if auth_sessions.linked_number(organization_id, store):
                found.append(store)
    return found


async def _log_out(session: ConnectionTask, store: str) -> str | None:
    """Log out by the session's own client, or by one that is opened for it, and close that."""
    if session.link is None:
        return await log_out_store(session, store)
    try:
        async with asyncio.timeout(settings.LOGOUT_TIMEOUT_SECONDS):
            return await session.link.logout(settings.LOGOUT_TIMEOUT_SECONDS) or None
    except TimeoutError:
        return "WhatsApp did not answer in time"
    finally:
        await session.close()


async def log_out_store(session: ConnectionTask, store: str) -> str | None:
    """Log a store's device out by a client of its own.

    None when WhatsApp has forgotten it or was told, else what went wrong.
    """
    link = None
    try:
        async with asyncio.timeout(settings.LOGOUT_TIMEOUT_SECONDS):
            await session.supervisor.connect_limiter.turn(urgent=True)
            link = await session.supervisor.open(session.id, store, alone=True)
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
    """Raises Retryable, Permanent."""
    while (event := await link.next())["event"] != "connected":
        if ended := ending(event):
            raise ended
