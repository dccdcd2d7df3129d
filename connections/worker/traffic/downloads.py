"""Fetches the media of received messages from WhatsApp, away from the callbacks."""

from __future__ import annotations

import asyncio
import logging

from connections.worker.hosts.client import ClientHandle
from connections.worker.message_port import MediaFetch
from connections.worker.polling import PollTimer, seconds_until
from connections.worker.traffic.context import TrafficContext
from connections.worker.traffic.media import new_file

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
DOWNLOAD_SECONDS = 120.0
MAX_CONCURRENT = 10


class Downloads:
    """Fetches media that is pending, some at once, one at a time for each connection."""

    def __init__(self, context: TrafficContext) -> None:
        self._context = context
        self._timer = PollTimer(LOOK_SECONDS)

    def wake(self) -> None:
        """Look for media to fetch soon."""
        self._timer.wake()

    async def run_round(self) -> None:
        """Fetch what is due now, and sleep."""
        context = self._context
        clients = context.connected_clients()
        due: list[MediaFetch] = []
        next_at = None
        if clients and context.lease_held():
            due, next_at = await context.db(
                context.port.media_to_fetch, list(clients), MAX_CONCURRENT
            )
            await asyncio.gather(
                *(self._fetch(clients[media.connection_id], media) for media in due)
            )
        await self._timer.wait(0.0 if due else seconds_until(next_at))

    async def _fetch(self, client: ClientHandle, media: MediaFetch) -> None:
        context = self._context
        path = await context.to_thread(new_file, "incoming")
        try:
            done = await client.download(media.source, str(path), media.limit, DOWNLOAD_SECONDS)
            if done.error:
                await context.db(context.port.record_media_failure, media, done.error)
            else:
                await context.db(context.port.record_media, media, path)
        except Exception:
            # It is due again later.
            logger.exception(
                "media could not be stored", extra={"organization": media.connection_id}
            )
        finally:
            path.unlink(missing_ok=True)
