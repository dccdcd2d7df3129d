"""Fetches the media of received messages from WhatsApp, away from the callbacks."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from pathlib import Path

from django.conf import settings

from connections.worker.hosts.client import ClientHandle
from connections.worker.message_port import MediaFetch
from connections.worker.traffic.context import TrafficContext

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
DOWNLOAD_SECONDS = 120.0
MAX_CONCURRENT = 10


class Downloads:
    """Fetches media that is pending, some at once, one at a time for each connection."""

    def __init__(self, context: TrafficContext) -> None:
        self._context = context

    async def run_round(self) -> None:
        """Fetch what is due now, and sleep."""
        context = self._context
        clients = {
            pk: task.client
            for pk, task in context.tasks().items()
            if task.client is not None and task.client.connected
        }
        if clients and context.lease_held():
            due = await context.db(context.port.media_to_fetch, list(clients), MAX_CONCURRENT)
            await asyncio.gather(
                *(self._fetch(clients[media.connection_id], media) for media in due)
            )
        await asyncio.sleep(LOOK_SECONDS)

    async def _fetch(self, client: ClientHandle, media: MediaFetch) -> None:
        context = self._context
        path = await context.to_thread(_new_file)
        try:
            done = await client.download(media.source, str(path), media.limit, DOWNLOAD_SECONDS)
            data = await context.to_thread(path.read_bytes) if not done.error else b""
            await context.db(context.port.record_media, media, data, done.error)
        except Exception:
            # It is due again later.
            logger.exception(
                "media could not be stored", extra={"organization": media.connection_id}
            )
        finally:
            path.unlink(missing_ok=True)


def _new_file() -> Path:
    folder = settings.DATA_DIR / "incoming"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        return Path(file.name)
