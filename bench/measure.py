"""Measure memory and CPU of processes by /proc, and describe the machine."""

from __future__ import annotations

import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")


def stop_on_sigterm() -> None:
    """End this program by an exception on SIGTERM, which also stops its services."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))


def machine() -> str:
    """Return the number and the model of the processors, and the system."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} × {models[0] if models else platform.machine()}, {platform.system()}"


def memory_gib() -> float:
    """Return the size of the machine's memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30


def load_average() -> str:
    """Return the load averages over 1, 5 and 15 minutes."""
    return " ".join(f"{load:.2f}" for load in os.getloadavg())


def pss_mib(processes: Iterable[int]) -> float:
    """Return the proportional set size (PSS) of all these processes."""
    return sum(_pss_kib(pid) for pid in processes) / 1024


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # It ended meanwhile.
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


class Spent(NamedTuple):
    """The CPU seconds of a process, and of the children it has waited for; its parent's pid."""

    own: float
    children: float
    parent: int


def spent_by(pid: int) -> Spent:
    """Return what a process has used until now, nothing if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return Spent(0.0, 0.0, 0)
    fields = text.rpartition(")")[2].split()
    own, children = (sum(map(int, fields[at : at + 2])) / TICKS for at in (11, 13))
    return Spent(own, children, int(fields[1]))


def cpu_seconds(pid: int, ended_children: bool = False) -> float:
    """Return the user and system CPU time of a process.

    `ended_children`: with that of the children it has waited for, and of theirs.
    """
    spent = spent_by(pid)
    return spent.own + (spent.children if ended_children else 0.0)


def with_children(parent: int) -> set[int]:
    """Return the pids of a process and of its children, such as PostgreSQL's."""
    every = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return {parent, *(pid for pid in every if spent_by(pid).parent == parent)}


def idle_percents(groups: Mapping[str, Callable[[], set[int]]], seconds: float) -> dict[str, float]:
    """Return the CPU use of each group of processes in the same period, in % of a core."""
    before = {name: _look(list_processes) for name, list_processes in groups.items()}
    started = time.monotonic()
    time.sleep(seconds)
    now = {name: _look(list_processes) for name, list_processes in groups.items()}
    duration = time.monotonic() - started
    return {name: 100 * used(before[name], now[name]) / duration for name in groups}


@contextmanager
def cpu_of(list_processes: Callable[[], set[int]]) -> Iterator[list[float]]:
    """Yield a list that has the CPU seconds of these processes during the block afterwards.

    Also of their children that start and end meanwhile, such as PostgreSQL's for short connections,
    but for those that nobody waits for: hosts that end, whose fork server ignores SIGCHLD.
    """
    before = _look(list_processes)
    spent: list[float] = []
    yield spent
    spent.append(used(before, _look(list_processes)))


def _look(list_processes: Callable[[], set[int]]) -> dict[int, Spent]:
    found = {pid: spent_by(pid) for pid in list_processes()}
    return {pid: one for pid, one in found.items() if one.parent}  # Others have just ended.


def used(before: Mapping[int, Spent], now: Mapping[int, Spent]) -> float:
    """Return what a group of processes has used between two looks.

    One that was there before and has ended is in the sum of the process that waited for it: what it
    had used before is taken off that.
    """
    ended = dict.fromkeys(now, 0.0)
    for pid, one in before.items():
        holder = pid
        while holder not in now and holder in before:
            holder = before[holder].parent
        if holder in now and holder != pid:
            ended[holder] += one.own + one.children
    total = 0.0
    for pid, one in now.items():
        was = before.get(pid, Spent(0.0, 0.0, 0))
        total += one.own - was.own + max(0.0, one.children - was.children - ended[pid])
    return total
