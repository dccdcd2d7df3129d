"""Faults of the database in a file, as another program that uses it might cause them."""

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
    """No one else can write the database; reading goes on (it is in WAL mode)."""
    path = application.data_dir / DATABASE
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            database.execute("ROLLBACK")


@fault("database away")
def away(application: Application) -> Iterator[None]:
    """No one else can read or write the database; not a byte of it changes.

    It holds the locks of the WAL's index that every reader must share. SQLite waits some 10 s for
    them, then raises "locking protocol": so it is shorter than that, a stall, or longer, an error.
    A process of its own does it, since closing a file drops all locks that a process has on it.
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


def _hold_readers_out(path: str) -> None:
    """In the process of `away`: until stdin ends."""
    write_to_last_reader = range(120, 128)  # https://sqlite.org/walformat.html, section 2.3
    # Our own connection keeps the index in place, should everyone else leave.
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
    _hold_readers_out(sys.argv[1])
