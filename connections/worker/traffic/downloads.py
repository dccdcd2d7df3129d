"""Fetches the media of received messages from WhatsApp, away from the callbacks."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

from connections.worker.hosts.client import ClientHandle
from connections.worker.message_port import MediaFetch, MediaNotSaved
from connections.worker.polling import PollTimer, seconds_until
from connections.worker.traffic.connection_tasks import ConnectionTasks
from connections.worker.traffic.context import TrafficContext
from connections.worker.traffic.media import INCOMING, remove_strays, temporary_file

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
DOWNLOAD_SECONDS = 120.0
# The library holds each file in memory.
MAX_CONCURRENT = 10


class Downloads:
    """Fetches media that is due: one file at a time for each connection, many connections at once.

    A download that WhatsApp does not answer holds up its own connection alone.
    """

    def __init__(self, context: TrafficContext) -> None:
        self._context = context
        self._timer = PollTimer(LOOK_SECONDS)
        # A look tells when the next is due.
        self._fetchers = ConnectionTasks("fetch media", self._timer.wake)
        # Connections take turns: each waits anew for each of its files.
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)

    def wake(self) -> None:
        """Look for media to fetch soon."""
        self._timer.wake()

    async def run(self) -> None:
        """Fetch what is due, until cancelled."""
        await self._context.to_thread(remove_strays)
        try:
            while True:
                next_at = await self._look()
                await self._timer.wait(seconds_until(next_at))
        finally:
            await self._fetchers.cancel()

    async def _look(self) -> datetime | None:
        """Start to fetch for the connections that have something due.

        Return when one of the others will have, as far as is known.
        """
        context = self._context
        idle = [pk for pk in context.connected_clients() if pk not in self._fetchers.busy]
        if not idle or not context.lease_held():
            return None
        due, next_at = await context.db(context.port.media_to_fetch, idle)
        for media in due:
            self._fetchers.start(media.connection_id, self._fetch_due(media))
        return next_at

    async def _fetch_due(self, media: MediaFetch) -> None:
        """Fetch media, and then what else of its connection is due."""
        context, pk = self._context, media.connection_id
        due = [media]
        try:
            while due:
                async with self._slots:
                    client = context.connected_clients().get(pk)
                    if client is None or not context.lease_held():
                        return
                    await self._fetch(client, due[0])
                due, _ = await context.db(context.port.media_to_fetch, [pk])
        except Exception:
            # It is due again later.
            logger.exception("media could not be stored", extra={"organization": pk})

    async def _fetch(self, client: ClientHandle, media: MediaFetch) -> None:
        context = self._context
        async with temporary_file(context, INCOMING) as path:
            done = await client.download(media.source, str(path), media.limit, DOWNLOAD_SECONDS)
            if done.error:
                return await context.db(context.port.record_media_failure, media, done.error)
            try:
                saved = await context.to_storage(context.port.save_media, path)
            except MediaNotSaved as error:
                return await context.db(context.port.record_media_failure, media, str(error))
        try:
            kept = await context.db(context.port.record_media, media, saved)
        except Exception:
            await context.to_storage(context.port.discard_media, saved)
            raise
        if not kept:
            await context.to_storage(context.port.discard_media, saved)
