"""Faults of processes: one ends, hangs, or gets no memory."""

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
    """SIGKILL, as an operator or the kernel's OOM killer sends it. Tolerates that it is gone."""
    _signal(pid, signal.SIGKILL)


@fault("process killed")
def killed(process: ManagedProcess) -> Iterator[None]:
    """kill -9; at the end it is started again."""
    process.kill()
    yield
    process.start()


@fault("process stopped")
def stopped(*pids: int) -> Iterator[None]:
    """SIGSTOP, and SIGCONT at the end. Tolerates that a process is gone, before or meanwhile."""
    try:
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        # On a busy machine a signal has not been heeded when the call returns.
        until(lambda: all(state(pid) in "TZ" for pid in pids), 10, f"{pids} to stand still")
        yield
    finally:
        for pid in pids:
            _signal(pid, signal.SIGCONT)


def out_of_memory(
    pid: int, use: Callable[[], object] = lambda: None, seconds: float = 10.0
) -> bool:
    """No more memory for this process. Returns whether it died of that by itself.

    The Go library ends its process when it gets no memory, but it is thrifty: an idle host asks
    for none, and one whose connections `use` drops, every second, asks now or (seldom) 20 s later.
    What still lives after `seconds` gets SIGKILL, which is what the kernel's OOM killer sends.
    """
    with contextlib.suppress(ProcessLookupError):
        # Nothing but 0 will do: what it has would leave it the room of all that it gives back.
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
