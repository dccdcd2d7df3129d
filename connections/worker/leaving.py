"""Logging out at WhatsApp, within a bounded time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from connections import auth_sessions
from connections.models import Connection
from connections.worker.dialling import Outdated
from connections.worker.endings import Dropped, Final, ending
from connections.worker.host import HostBroken, Link

if TYPE_CHECKING:
    from connections.worker.session import Session


async def log_out(session: Session, connection: Connection) -> str | None:
    """None when WhatsApp has forgotten this device or never knew it, else what went wrong."""
    if session.link is None or not session.link.connected:
        await session.close()
        if not session.store:
            return None
        if connection.retry_at is not None and connection.retry_at > timezone.now():
            return "the number is banned for a while, so WhatsApp was not asked"
        try:
            if not await session.thread(auth_sessions.linked_number, session.id, session.store):
                return "there were no saved credentials any more"
        except (auth_sessions.Damaged, auth_sessions.Unusable):
            return "the saved credentials could not be read"
    try:
        async with asyncio.timeout(settings.LOGOUT_TIMEOUT_SECONDS):
            if session.link is None:
                await session.supervisor.dialling.turn(urgent=True)
                session.link = await session.supervisor.open(session.id, session.store)
                await _until_connected(session.link)
            return await session.link.logout(settings.LOGOUT_TIMEOUT_SECONDS) or None
    except TimeoutError:
        return "WhatsApp did not answer in time"
    except Final:
        return None  # WhatsApp has forgotten this device already.
    except (Dropped, HostBroken, Outdated):
        return "WhatsApp could not be reached"
    finally:
        await session.close()


async def _until_connected(link: Link) -> None:
    """Raises Dropped, Final."""
    while (event := await link.next())["event"] != "connected":
        if ended := ending(event):
            raise ended
