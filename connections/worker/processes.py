"""Tells whether a worker's process on the same machine has ended.

A heartbeat takes seconds to become old. A process on the same machine sees at once that another one
has ended; its hosts end with it, as their sockets to it close.
"""

from __future__ import annotations

import os
from pathlib import Path

BOOT = Path("/proc/sys/kernel/random/boot_id")
ENDED = ("Z", "X")


def own() -> str:
    """Return what identifies this process among those of all machines: machine, pid, start."""
    return f"{_place()} {os.getpid()} {_start(os.getpid())}"


def is_gone(process: str) -> bool:
    """Return whether a process has ended; False when it cannot be seen from here.

    `process`: what `own` returned there.
    """
    place, pid, start = process.split(" ") if process else ("", "", "")
    if not place or place != _place():
        return False
    try:
        return _start(int(pid)) != start
    except PermissionError:
        return False  # It runs as another user.


def _place() -> str:
    """Return the running system and the pid namespace, "" when they cannot be read."""
    try:
        return f"{BOOT.read_text().strip()}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""


def _start(pid: int) -> str:
    """Return a process's start, in ticks since the system's; "" when it has ended.

    Raises PermissionError when it runs but may not be read.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        # /proc may hide what belongs to others.
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return ""
        raise PermissionError from None
    return "" if fields[0] in ENDED else fields[19]
