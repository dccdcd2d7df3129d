"""Hands the content of a stored file to a host process, as a file that exists meanwhile."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from django.conf import settings

from connections.worker.message_port import Outgoing
from connections.worker.traffic.context import TrafficContext


class MediaGone(Exception):
    """The file of a message was deleted before the message was sent."""


@asynccontextmanager
async def plain_file(context: TrafficContext, outgoing: Outgoing) -> AsyncIterator[dict[str, Any]]:
    """Yield a message's content, which names a readable file if it carries one. Raises MediaGone.

    Files are stored encrypted, so the content is written to a file for this user only.
    """
    if not outgoing.media:
        yield outgoing.content
        return
    data = await context.to_thread(context.port.read_media, outgoing.media)
    if data is None:
        raise MediaGone
    path = await context.to_thread(_write, data)
    try:
        kind = outgoing.content["type"]
        yield {**outgoing.content, kind: {**outgoing.content[kind], "path": str(path)}}
    finally:
        path.unlink(missing_ok=True)


def _write(data: bytes) -> Path:
    folder = settings.DATA_DIR / "outgoing"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    return Path(name)
