"""A lock on a file, so that only one process works on a data folder."""

import fcntl
from pathlib import Path
from typing import IO


class Locked(Exception):
    """Another process holds the lock."""


def exclusive(path: Path) -> IO[str]:
    """Lock a file until it is closed or this process ends, and return it.

    Raises Locked, OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise Locked(f"{path} is held by another process") from error
    return file
