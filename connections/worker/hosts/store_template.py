"""Prepares the tables of new stores, which the Go library creates in a host process.

A pairing gets a copy of a template that was made when the worker started (docs/performance.md).
Without a template, the library creates the tables in the empty store.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import HostError, HostHandle

logger = logging.getLogger(__name__)

# Half of SQLite's page size: a login stores 812 keys one by one, each with its whole page.
PAGE_BYTES = 2048
TEMPLATE_SECONDS = 10.0
PREPARE_SECONDS = 60.0


class StoreTemplate:
    """Holds the file of a new store with its tables; b"" until it is made."""

    def __init__(self) -> None:
        self.content = b""

    async def make(self, fork_server: ForkServer) -> None:
        """Make the template in a host and kill that host. Log a failure."""
        try:
            host = await fork_server.take()
            try:
                # A host that is killed while it works may still write there.
                with tempfile.TemporaryDirectory(
                    prefix="whatsapp-orgs-", ignore_cleanup_errors=True
                ) as folder:
                    path = Path(folder) / "template.sqlite3"
                    await host.prepare(str(path), TEMPLATE_SECONDS)
                    self.content = await asyncio.to_thread(_read_as_one_file, path)
            finally:
                host.kill()
        except (HostError, TimeoutError, OSError, sqlite3.Error):
            logger.exception("the store template failed; each pairing creates its store's tables")


def _read_as_one_file(path: Path) -> bytes:
    """Return a database as one file, without a WAL beside it."""
    copy = path.with_name("copy.sqlite3")
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        database.execute("VACUUM INTO ?", (str(copy),))
    with closing(sqlite3.connect(copy)) as database:
        database.execute("PRAGMA journal_mode = WAL")
    return copy.read_bytes()


class StorePreparer:
    """Creates or updates the tables of stores, for code without an event loop.

    A context manager: its host process ends with the block.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._fork_server = ForkServer({}, 0)
        self._host: HostHandle | None = None

    def __call__(self, address: str) -> str:
        """Create or update a store's tables. Return the error, "" for none."""
        return self._runner.run(self._prepare(address))

    async def _prepare(self, address: str) -> str:
        try:
            if self._host is None or not self._host.alive:
                self._host = await self._fork_server.take()
            await self._host.prepare(address, PREPARE_SECONDS)
        except TimeoutError:
            self._kill_host()
            return "the store could not be opened in time"
        except HostError as error:
            return str(error)
        return ""

    def _kill_host(self) -> None:
        if self._host is not None:
            self._host.kill()
            self._host = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._runner.run(self._close())
        self._runner.close()

    async def _close(self) -> None:
        self._kill_host()
        await self._fork_server.close()
