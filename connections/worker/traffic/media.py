"""Files through which a host process and its worker hand media to each other."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from django.conf import settings

from connections.worker.message_port import Outgoing
from connections.worker.traffic.context import TrafficContext

INCOMING, OUTGOING = "incoming", "outgoing"
"""Folders of DATA_DIR."""


class OutgoingMediaGone(Exception):
    """The file of a message was deleted before the message was sent."""


@asynccontextmanager
async def plain_file(context: TrafficContext, outgoing: Outgoing) -> AsyncIterator[dict[str, Any]]:
    """Yield a message's content, which names a readable file if it carries one.

    Files are stored encrypted, so the content is written to a file for this user only. Raises
    OutgoingMediaGone.
    """
    if not outgoing.media:
        yield outgoing.content
        return
    async with temporary_file(context, OUTGOING) as path:
        await context.to_storage(_write, path, context.port.read_media(outgoing.media))
        kind = outgoing.content["type"]
        yield {**outgoing.content, kind: {**outgoing.content[kind], "path": str(path)}}


@asynccontextmanager
async def temporary_file(context: TrafficContext, folder: str) -> AsyncIterator[Path]:
    """Make an empty file for this user only in a folder of DATA_DIR, and remove it at the end.

    Whoever writes to it must not create it: a call may end when the file is already removed.
    """
    descriptor, path = await context.to_thread(_new_file, folder)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def remove_strays() -> None:
    """Remove the files that killed workers have left; other workers may share the folders."""
    for folder in (INCOMING, OUTGOING):
        for path in (settings.DATA_DIR / folder).glob("*"):
            try:
                with path.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
            except (BlockingIOError, FileNotFoundError):
                continue  # A worker uses it, or has just removed it.


def _new_file(folder: str) -> tuple[int, Path]:
    """Make an empty file. It is locked until the descriptor is closed, or its worker has ended."""
    path = settings.DATA_DIR / folder
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor, Path(name)


def _write(path: Path, chunks: Iterator[bytes]) -> None:
    with path.open("r+b") as file:
        try:
            file.writelines(chunks)
        except FileNotFoundError as error:
            raise OutgoingMediaGone from error
