"""The file to which a client appends what WhatsApp brings, before anything else happens with it.

The library confirms a message to WhatsApp before we see it, so a message that is not in this file
yet is lost when the process dies. A line in the kernel's cache survives that.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable

# A file that nobody empties stops the library's confirmations here, not at a full disk.
MAX_BYTES = 64 * 1024 * 1024
# The stored part of a file is dropped from here on; below, only when all of it is stored.
TRIM_BYTES = 1024 * 1024
OPEN_TRIES, OPEN_PAUSE_SECONDS = 100, 0.01
CLOSED = "closed"
RETRY_SECONDS, MAX_RETRY_SECONDS = 0.05, 5.0


class Spool:
    """Appends lines to a file that this process locks. Raises OSError when it cannot be opened."""

    def __init__(self, path: str, report: Callable[[str], None]) -> None:
        """Open the file. `report` gets the name of the error when a line cannot be written."""
        self._path = path
        self._report = report
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._file = _open_locked(path, os.O_APPEND)

    def append(self, line: bytes) -> bool:
        """Append a line; try until the disk takes it. Return False if the spool was closed first.

        Waiting here blocks the library, which then confirms no further messages.
        """
        pause = RETRY_SECONDS
        while error := self._write(line + b"\n"):
            if error == CLOSED:
                return False
            self._report(error)
            self._closed.wait(pause)
            pause = min(2 * pause, MAX_RETRY_SECONDS)
        return True

    def _write(self, line: bytes) -> str:
        """Write all of a line or nothing of it. Return the name of the error, "" for none."""
        with self._lock:
            if self._closed.is_set():
                return CLOSED
            try:
                size = os.fstat(self._file).st_size
                if size + len(line) > MAX_BYTES:
                    return "full"
                if os.write(self._file, line) == len(line):
                    return ""
                os.ftruncate(self._file, size)
                return "ENOSPC"
            except OSError as error:
                return errno.errorcode.get(error.errno or 0, "unknown")

    def trim(self, upto: int) -> int:
        """Drop the first bytes, which are stored elsewhere. Return how many were dropped.

        It drops nothing while few bytes are stored and more lines follow: that would copy them
        each time.
        """
        with self._lock:
            if self._closed.is_set():
                return 0
            size = os.fstat(self._file).st_size
            if not 0 < upto <= size:
                return 0
            if upto == size:
                os.ftruncate(self._file, 0)
            elif upto > TRIM_BYTES:
                self._replace(upto, size)
            else:
                return 0
            return upto

    def _replace(self, upto: int, size: int) -> None:
        """Replace the file by one with the rest; at each moment one whole file is there."""
        beside = f"{self._path}.new"
        with open(os.open(self._path, os.O_RDONLY), "rb") as old:
            old.seek(upto)
            rest = old.read(size - upto)
        replacement = _open_locked(beside, os.O_APPEND | os.O_TRUNC)
        try:
            if os.write(replacement, rest) != len(rest):
                raise OSError(errno.ENOSPC, "no space left for the rest of a spool")
            os.replace(beside, self._path)
        except OSError:
            os.close(replacement)
            os.unlink(beside)
            raise
        os.close(self._file)
        self._file = replacement

    def close(self) -> None:
        """Close and unlock the file; a waiting `append` gives up."""
        self._closed.set()
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1


def _open_locked(path: str, flags: int) -> int:
    """Open a file for appending, create it for this user only, and lock it. Raises OSError."""
    for _ in range(OPEN_TRIES):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The worker removes a file that nobody has locked yet (spools.py).
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except (BlockingIOError, FileNotFoundError):
            time.sleep(OPEN_PAUSE_SECONDS)
        os.close(descriptor)
    raise BlockingIOError(errno.EWOULDBLOCK, "another process holds this spool")
