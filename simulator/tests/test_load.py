"""Load test with hundreds of clients."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Awaitable, Iterable
from pathlib import Path

from simulator.process import Simulator

from .light_client import LightClient

CLIENTS = 300
PINGS_EACH_SECOND = CLIENTS / 25  # whatsmeow pings every 20 to 30 s
IDLE_SECONDS = 4.0


def test_simulator_handles_hundreds_of_clients(simulator: Simulator) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(measure_load(simulator))


async def measure_load(simulator: Simulator) -> None:
    """Link, log in and ping all clients; print times, CPU and memory."""
    control, pid = simulator.control, simulator.process.pid
    clients = [LightClient(simulator) for _ in range(CLIENTS)]
    began, cpu = time.monotonic(), cpu_seconds(pid)
    await in_turn(client.link(control) for client in clients)
    linked, linked_cpu = time.monotonic(), cpu_seconds(pid)
    await in_turn(client.go_online() for client in clients)
    online, online_cpu = time.monotonic(), cpu_seconds(pid)
    stats = control.stats()
    assert stats["online"] == stats["paired_devices"] == CLIENTS
    for client in clients[: int(IDLE_SECONDS * PINGS_EACH_SECOND)]:
        await client.query("w:p", "get")
        await asyncio.sleep(1 / PINGS_EACH_SECOND)
    share = (cpu_seconds(pid) - online_cpu) / (time.monotonic() - online)
    memory = proportional_megabytes(pid)
    print(
        f"{CLIENTS} clients: linked in {linked - began:.1f} s ({linked_cpu - cpu:.1f} s CPU), "
        f"online in {online - linked:.1f} s ({online_cpu - linked_cpu:.1f} s CPU), "
        f"then {share:.1%} of a core and {memory:.0f} MB"
    )
    await in_turn((client.close() for client in clients), CLIENTS)
    assert memory < 300
    assert share < 0.15


async def in_turn(tasks: Iterable[Awaitable[object]], at_once: int = 50) -> None:
    """Await all tasks, `at_once` at a time."""
    semaphore = asyncio.Semaphore(at_once)

    async def limited(task: Awaitable[object]) -> None:
        async with semaphore:
            await task

    await asyncio.gather(*(limited(task) for task in tasks))


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def proportional_megabytes(pid: int) -> float:
    """Return the proportional set size (PSS) of a process in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
