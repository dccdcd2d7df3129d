"""What processes cost, as /proc tells it, and the machine's own words."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def machine() -> str:
    """The machine in its own words."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} × {models[0] if models else platform.machine()}, {platform.system()}"


def memory_gib() -> float:
    """How much memory the machine has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30


def load_average() -> str:
    """The machine's load over 1, 5 and 15 minutes."""
    return " ".join(f"{load:.2f}" for load in os.getloadavg())


def pss_mib(processes: Iterable[int]) -> float:
    """Their memory; what several processes share is counted once, in parts."""
    return sum(_pss_kib(pid) for pid in processes) / 1024


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # It ended while we looked.
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process has used, in itself and in the kernel."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # It ended while we looked.
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def idle_percents(looks: Mapping[str, Callable[[], set[int]]], seconds: float) -> dict[str, float]:
    """How much of one core each group of processes uses meanwhile, all in the same time."""
    before = {name: _cpu_seconds_of(look()) for name, look in looks.items()}
    begun = time.monotonic()
    time.sleep(seconds)
    now = {name: _cpu_seconds_of(look()) for name, look in looks.items()}
    lasted = time.monotonic() - begun
    return {name: 100 * _used(before[name], now[name]) / lasted for name in looks}


def _cpu_seconds_of(processes: set[int]) -> dict[int, float]:
    return {pid: cpu_seconds(pid) for pid in processes}


def _used(before: dict[int, float], now: dict[int, float]) -> float:
    # A process that ended takes its share along; one that is new brings all of its own.
    return sum(spent - before.get(pid, 0.0) for pid, spent in now.items())
