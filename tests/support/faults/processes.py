"""Faults of processes: killed, stopped, or out of memory."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator

from tests.support.application import until
from tests.support.faults import fault
from tests.support.host_processes import gone, state
from tests.support.managed_process import ManagedProcess


def kill(pid: int) -> None:
    """Send SIGKILL, like the OOM killer. Ignores a missing process."""
    _signal(pid, signal.SIGKILL)


@fault("process killed")
def killed(process: ManagedProcess) -> Iterator[None]:
    """Kill a process; the end of the fault starts it again."""
    process.kill()
    yield
    process.start()


@fault("process stopped")
def stopped(*pids: int) -> Iterator[None]:
    """Stop processes with SIGSTOP; the end sends SIGCONT. Ignores missing processes."""
    try:
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        # Signals take effect some time after the call.
        until(lambda: all(state(pid) in "TZ" for pid in pids), 10, f"{pids} to stand still")
        yield
    finally:
        for pid in pids:
            _signal(pid, signal.SIGCONT)


def out_of_memory(
    pid: int, use: Callable[[], object] = lambda: None, seconds: float = 10.0
) -> bool:
    """Deny a process more memory. Returns whether it died of that.

    The Go library exits without memory, but an idle host needs none for up to 20 s: `use` is called
    every second to make it allocate. After `seconds` the process gets SIGKILL, like from the OOM
    killer.
    """
    with contextlib.suppress(ProcessLookupError):
        # Only 0 works: a limit at the current size would allow reusing freed memory.
        resource.prlimit(pid, resource.RLIMIT_AS, (0, 0))
        resource.prlimit(pid, resource.RLIMIT_DATA, (0, 0))
    deadline = time.monotonic() + seconds
    while not gone(pid) and time.monotonic() < deadline:
        use()
        with contextlib.suppress(AssertionError):
            until(lambda: gone(pid), 1, "its end")
    died = gone(pid)
    kill(pid)
    return died


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
