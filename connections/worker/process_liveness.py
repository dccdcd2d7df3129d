"""Detects that a worker's process on the same machine has ended.

A heartbeat takes seconds to become old; on the same machine the end of a process is visible at
once. Its hosts end with it, as their sockets to it close.
"""

from __future__ import annotations

import os
from pathlib import Path

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")
ENDED_STATES = ("Z", "X")


def current_process() -> str:
    """Return an identifier of this process among all machines: machine, pid, start time."""
    return f"{_machine()} {os.getpid()} {_start_time(os.getpid())}"


def has_ended(process: str) -> bool:
    """Return whether a process has ended; False when it cannot be seen from here.

    `process`: the result of `current_process` in that process.
    """
    machine, pid, start_time = process.split(" ") if process else ("", "", "")
    if not machine or machine != _machine():
        return False
    try:
        return _start_time(int(pid)) != start_time
    except PermissionError:
        return False  # It runs as another user.


def _machine() -> str:
    """Return the boot id and the pid namespace, "" when they cannot be read."""
    try:
        return f"{BOOT_ID_FILE.read_text().strip()}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""


def _start_time(pid: int) -> str:
    """Return when a process started, in ticks since boot; "" when it has ended.

    Raises PermissionError when it runs but may not be read.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        # /proc may hide processes of other users.
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return ""
        raise PermissionError from None
    return "" if fields[0] in ENDED_STATES else fields[19]
