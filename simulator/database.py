"""The SQLite file of the simulator's state.

WAL with `synchronous=NORMAL`: killing the process loses no commit (a power cut could). All writes
of one turn of the event loop are one transaction, which is committed before anything is written to
a socket: so what a client was sent or has confirmed survives a kill.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path


class Database:
    """A connection to the file."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        path.chmod(0o600)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._due: asyncio.Handle | None = None

    def read(self, query: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Return the rows of a query."""
        return self._connection.execute(query, values)

    def write(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run a statement; outside an event loop it is committed at once."""
        if not self._connection.in_transaction and (loop := _running_loop()):
            self._connection.execute("BEGIN")
            self._due = loop.call_soon(self.commit)
        return self._connection.execute(statement, values)

    def run(self, script: str) -> None:
        """Run several statements in a transaction of their own."""
        self.commit()
        self._connection.executescript(f"BEGIN; {script}; COMMIT;")

    def commit(self) -> None:
        """Commit what was written in this turn of the event loop."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Commit, and close the file."""
        self.commit()
        self._connection.close()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
