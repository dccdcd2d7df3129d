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

from connections.worker.fork_server import ForkServer
from connections.worker.host_handle import HostBroken

logger = logging.getLogger(__name__)

# A login stores 812 keys one by one, each with the page that it stands on. Half of SQLite's page
# makes a link a tenth faster, and the file half as large; a quarter is no better.
PAGE_BYTES = 2048


class StoreTemplate:
    """The file of a fresh store, once it is made; b"" until then."""

    def __init__(self) -> None:
        self.content = b""

    async def make(self, fork_server: ForkServer) -> None:
        """Have it made by a host of its own, which is ended then."""
        try:
            host = await fork_server.take()
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
    """A database in one file, which needs no other one beside it."""
    copy = path.with_name("copy.sqlite3")
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        database.execute("VACUUM INTO ?", (str(copy),))
    with closing(sqlite3.connect(copy)) as database:
        database.execute("PRAGMA journal_mode = WAL")
    return copy.read_bytes()
