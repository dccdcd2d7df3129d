"""Faults of the SQLite database, caused by locks of another process."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

from tests.support.application import ROOT, Application
from tests.support.faults import fault

DATABASE = "db.sqlite3"


@fault("database locked")
def locked(application: Application) -> Iterator[None]:
    """Block writing to the database; reading works (WAL mode)."""
    path = application.data_dir / DATABASE
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            database.execute("ROLLBACK")


@fault("database away")
def away(application: Application) -> Iterator[None]:
    """Block reading and writing of the database, without changing it.

    Holds the locks of the WAL index that readers need. SQLite waits some 10 s for them, then raises
    "locking protocol". A separate process holds them, because closing a file drops all locks of a
    process on it.
    """
    path = application.data_dir / DATABASE
    holder = subprocess.Popen(
        [sys.executable, "-m", "tests.support.faults.databases", str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin is not None and holder.stdout is not None
    with holder, holder.stdin, holder.stdout:
        assert holder.stdout.readline() == b"held\n", "the database could not be locked"
        yield


def _hold_reader_locks(path: str) -> None:
    """Hold the locks until stdin ends. Runs in the process of `away`."""
    write_to_last_reader = range(120, 128)  # https://sqlite.org/walformat.html, section 2.3
    # This connection keeps the index when all others close.
    with closing(sqlite3.connect(path, timeout=60)) as database:
        database.execute("SELECT 1 FROM sqlite_master").fetchall()
        with open(f"{path}-shm", "r+b") as index:
            for byte in write_to_last_reader:
                fcntl.lockf(index, fcntl.LOCK_EX, 1, byte)
            print("held", flush=True)
            sys.stdin.read()
            # Unlocked by the end of the process: closing in order would need a lock, too.
            os._exit(0)


if __name__ == "__main__":
    _hold_reader_locks(sys.argv[1])
