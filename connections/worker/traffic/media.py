"""Files through which a host process and its worker hand media to each other."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
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
    path = await context.to_thread(new_file, "outgoing")
    try:
        await context.to_thread(_write, path, context.port.read_media(outgoing.media))
        kind = outgoing.content["type"]
        yield {**outgoing.content, kind: {**outgoing.content[kind], "path": str(path)}}
    finally:
        path.unlink(missing_ok=True)


def new_file(folder: str) -> Path:
    """Make an empty file for this user only in a folder of DATA_DIR, and return its path."""
    path = settings.DATA_DIR / folder
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path)
    os.close(descriptor)
    return Path(name)


def _write(path: Path, chunks: Iterator[bytes]) -> None:
    with path.open("wb") as file:
        try:
            file.writelines(chunks)
        except FileNotFoundError as error:
            raise MediaGone from error
