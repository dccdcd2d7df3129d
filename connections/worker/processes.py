"""Whether a worker's process is gone, as far as that can be seen from the same machine.

A heartbeat takes seconds to become old. A neighbour sees at once that a process has ended, and its
hosts end with it: their sockets to it close.
"""

from __future__ import annotations

import os
from pathlib import Path

BOOT = Path("/proc/sys/kernel/random/boot_id")
ENDED = ("Z", "X")


def own() -> str:
    """What tells this process from any other one, on any machine: machine, number, start."""
    return f"{_place()} {os.getpid()} {_start(os.getpid())}"


def is_gone(process: str) -> bool:
    """Whether a process of this machine has ended; False for those that cannot be seen from here.

    `process`: what `own` said there.
    """
    place, pid, start = process.split(" ") if process else ("", "", "")
    if not place or place != _place():
        return False
    try:
        return _start(int(pid)) != start
    except PermissionError:
        return False  # It is there, and another user's.


def _place() -> str:
    """A running system, and which of its processes can be seen: containers have numbers apart."""
    try:
        return f"{BOOT.read_text().strip()}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""


def _start(pid: int) -> str:
    """When it was started, in ticks since the system's start; "" when it has ended.

    Raises PermissionError when it is there, but may not be looked at.
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
