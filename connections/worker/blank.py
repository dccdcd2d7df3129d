"""A store that has its tables and nothing else: what a pairing's fresh store is begun with.

The Go library makes the tables of a new store step by step, as they came to be over the years,
which was a tenth of the time from a request to its QR code. It makes them once now, when the
worker starts, and each pairing gets a copy. Without one, a store is begun empty, as ever.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from connections.worker.host import HostBroken
from connections.worker.mould import Mould

logger = logging.getLogger(__name__)


class Blank:
    """The file of a fresh store, once it is made; b"" until then."""

    def __init__(self) -> None:
        self.content = b""

    async def make(self, mould: Mould) -> None:
        """Have it made by a host of its own, which is ended then."""
        try:
            host = await mould.take()
            try:
                # Ended in the middle, the library may still write there.
                with tempfile.TemporaryDirectory(
                    prefix="whatsapp-orgs-", ignore_cleanup_errors=True
                ) as folder:
                    path = Path(folder) / "blank.sqlite3"
                    await host.prepare(str(path))
                    self.content = await asyncio.to_thread(_content, path)
            finally:
                host.kill()
        except (HostBroken, TimeoutError, OSError, sqlite3.Error):
            logger.exception("each fresh store will be made from nothing")


def _content(path: Path) -> bytes:
    """All of a database in one file, which needs no other one beside it."""
    with closing(sqlite3.connect(path)) as database:
        busy, _, _ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("the blank store is still being written")
    return path.read_bytes()
