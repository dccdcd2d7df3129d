"""Connect and disconnect, over and over: what it takes up at the end is what it took before.

`LEAK_CYCLES=300 python -m pytest tests/lifecycle/test_leaks.py -s` does more of them and prints the
figures.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from tests.support import host_processes
from tests.support.application import Application, until
from tests.support.linking import decode

CYCLES = int(os.environ.get("LEAK_CYCLES", "40"))
# Imports, caches and pools of threads fill up first.
WARM_UP = min(30, CYCLES // 2)
AT_ONCE = 4
SETTLE_SECONDS = 30.0
# asyncio's pool makes a thread whenever none is idle, up to so many.
SLACK_THREADS = min(32, (os.cpu_count() or 1) + 4)
# SQLite keeps a closed connection's descriptor while another one of the process has a lock.
SLACK_DESCRIPTORS = 4
# Rows of the history and pages of the heap: far below what a leaked host or socket would cost.
SLACK_KB = 8_000
SLACK_KB_PER_CYCLE = 20
NO_LIMIT = "100000"


@dataclass(frozen=True)
class Resources:
    """Resources of the product's process, and the number of hosts."""

    descriptors: int
    threads: int
    children: int
    hosts: int
    anonymous_kb: int

    def within(self, before: Resources, cycles: int) -> bool:
        """Return whether no resource has grown by more than its slack."""
        grown = self.anonymous_kb - before.anonymous_kb
        return (
            self.descriptors <= before.descriptors + SLACK_DESCRIPTORS
            and self.threads <= before.threads + SLACK_THREADS
            and self.children <= before.children
            and self.hosts <= before.hosts
            and grown <= SLACK_KB + SLACK_KB_PER_CYCLE * cycles
        )


@pytest.fixture(scope="module")
def cycling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    folder = tmp_path_factory.mktemp("leaks") / "data"
    with Application(
        folder, RECONNECTS_PER_ORGANIZATION=NO_LIMIT, RECONNECTS_PER_CALLER=NO_LIMIT
    ) as running:
        yield running


def test_repeated_cycles_leak_nothing(cycling: Application) -> None:
    organizations = cycling.new_organizations(*(f"Leaky {number}" for number in range(AT_ONCE)))
    cycle(cycling, organizations, WARM_UP)
    before, files = measure_settled(cycling), open_files(cycling)
    cycles = CYCLES - WARM_UP
    cycle(cycling, organizations, cycles)
    after = [measure_settled(cycling)]

    def as_before() -> bool:
        after[0] = measure(cycling)
        return after[0].within(before, cycles)

    try:
        until(as_before, SETTLE_SECONDS, "as little taken up as before")
    finally:
        print(f"\nafter {WARM_UP} cycles:  {asdict(before)}")
        print(f"{cycles} more: {asdict(after[0])}")
        print("descriptors that came: ", sorted((open_files(cycling) - files).elements()))
    assert cycling.simulator.devices() == [], "WhatsApp was told of each disconnect"


def cycle(application: Application, organizations: list[int], count: int) -> None:
    """Run `count` cycles over the organizations. Raises AssertionError."""
    shares = [len(range(number, count, AT_ONCE)) for number in range(AT_ONCE)]

    def repeat(organization: int, times: int) -> None:
        for _ in range(times):
            connect_and_disconnect(application, organization)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(repeat, organizations, shares))


def connect_and_disconnect(application: Application, organization: int) -> None:
    answer = application.api("POST", organization, "reconnect")
    assert answer.status == 200, answer
    application.simulator.scan(decode(answer))
    application.wait_for_state(organization, "connected", 30)
    gone = application.api("DELETE", organization, "disconnect")
    assert (gone.status, gone.body["success"]) == (200, True), gone
    assert not application.has_credentials(organization)


def measure_settled(application: Application) -> Resources:
    """Return the resources when ended hosts are gone and the warm host is back."""
    last: list[tuple[set[int], Resources]] = []

    def look() -> bool:
        last.append((host_processes.host_processes(application), measure(application)))
        same = [(hosts, now.descriptors, now.threads) for hosts, now in last[-10:]]
        return len(same) == 10 and all(entry == same[0] for entry in same)

    until(look, SETTLE_SECONDS, "ten looks in a row that see the same")
    return last[-1][1]


def measure(application: Application) -> Resources:
    """Return what web server and worker use."""
    found = [Path(f"/proc/{pid}") for pid in own_processes(application)]
    statuses = [(process / "status").read_text() for process in found]
    tasks = [task for process in found for task in (process / "task").iterdir()]
    children = [task / "children" for task in tasks]
    return Resources(
        descriptors=sum(len(os.listdir(process / "fd")) for process in found),
        threads=sum(field(status, "Threads") for status in statuses),
        children=sum(len(path.read_text().split()) for path in children if path.exists()),
        hosts=len(host_processes.host_processes(application)),
        anonymous_kb=sum(field(status, "RssAnon") for status in statuses),
    )


def open_files(application: Application) -> Counter[str]:
    """Count the open descriptors by kind."""
    found: Counter[str] = Counter()
    for pid in own_processes(application):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found[re.sub(r"\d+", "…", os.readlink(descriptor))] += 1
    return found


def own_processes(application: Application) -> tuple[int, int]:
    """Return the pids of the web server and its worker."""
    assert application.process is not None
    return application.process.pid, host_processes.worker(application)


def field(status: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", status, re.M)
    assert found is not None, name
    return int(found[1])
