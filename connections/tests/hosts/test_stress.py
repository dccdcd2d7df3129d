"""Many clients of one host process that start, stop, send and receive at the same time.

STRESS_SECONDS (8 here, 300 in `make stress`) is how long.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
from collections import Counter
from pathlib import Path

import pytest
from pytest_django import Settings

from connections.tests.support.linked_clients import (
    fork_server,
    link_store,
    open_linked,
    simulator,
    spooled_lines,
    text_to,
)
from connections.worker.hosts import handle
from connections.worker.hosts.client import ClientHandle
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import HostHandle
from simulator.process import Simulator

__all__ = ["fork_server", "simulator"]

pytestmark = pytest.mark.sqlite_only

CLIENTS = 25
NUMBERS = [f"55119876{index:05}" for index in range(CLIENTS)]
PEOPLE = [f"55119123{index:05}" for index in range(4)]
STRESS_SECONDS = float(os.environ.get("STRESS_SECONDS", "8"))
SECONDS = 30.0
LINKS_AT_ONCE = 4


class Organization:
    """A linked number whose client is used and restarted all the time."""

    def __init__(self, number: str, folder: Path) -> None:
        self.number = number
        self.database = folder / f"{number}.sqlite3"
        self.sent: list[str] = []  # ids that WhatsApp took
        self.counts: Counter[str] = Counter()
        self._folder = folder
        self._spools: list[Path] = []
        self._client: ClientHandle | None = None

    async def run(self, host: HostHandle, until: float, chance: random.Random) -> None:
        """Use the client in this host until a time of the loop."""
        loop = asyncio.get_running_loop()
        while loop.time() < until and not host.needs_recycling:
            await self._start(host)
            for _ in range(chance.randrange(1, 30)):
                if loop.time() > until:
                    break
                await self._act(chance)
            await self._stop()

    async def _start(self, host: HostHandle) -> None:
        self._spools.append(self._folder / f"{self.number}-{len(self._spools)}.spool")
        self._client = await open_linked(host, self.database, self._spools[-1])
        self.counts["starts"] += 1

    async def _stop(self) -> None:
        assert self._client is not None
        await self._client.close()

    async def _act(self, chance: random.Random) -> None:
        """Send a message, or make another call."""
        assert self._client is not None
        person = chance.choice(PEOPLE)
        chat = f"{person}@s.whatsapp.net"
        match chance.randrange(12):
            case 0:
                resolved = await self._client.resolve([f"+{person}"], SECONDS)
                assert resolved.error == "", resolved
                self.counts["queries"] += 1
            case 1:
                self._client.typing(chat, on=True)
            case 2:
                error = await self._client.mark_read(["3EB0AAAA"], chat, chat, False, SECONDS)
                assert error == ""
            case 3:
                await asyncio.sleep(chance.random() / 2)
            case _:
                text = f"{self.number} {len(self.sent)}"
                result = await self._client.send(text_to(person, text), SECONDS)
                assert result.error == "", result
                self.sent.append(result.id)

    def received(self) -> list[str]:
        """Return the ids of all messages in the spools."""
        lines = [line for spool in self._spools for line in spooled_lines(spool)]
        return [line["id"] for line in lines if line["kind"] == "message"]


async def link_all(
    organizations: list[Organization], fork_server: ForkServer, simulator: Simulator
) -> None:
    free = asyncio.Semaphore(LINKS_AT_ONCE)

    async def link(organization: Organization) -> None:
        async with free:
            await link_store(fork_server, simulator, organization.database, organization.number)

    async with asyncio.TaskGroup() as tasks:
        for organization in organizations:
            tasks.create_task(link(organization))


async def write_to_all(simulator: Simulator, chance: random.Random, stop: asyncio.Event) -> int:
    """Let people write to the numbers until `stop`. Return how many messages they wrote."""
    count = 0
    while not stop.is_set():
        person, number = chance.choice(PEOPLE), chance.choice(NUMBERS)
        await asyncio.to_thread(simulator.control.say, person, number, f"text {count}")
        count += 1
        await asyncio.sleep(0.01)
    return count


@pytest.fixture
def long_lived_host(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one host take more starts than in the product, as many as the system has descriptors."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    settings.HOST_MAX_STARTS = settings.HOST_MAX_MEMORY_MB = 1_000_000
    monkeypatch.setattr(handle, "MAX_DESCRIPTORS", allowed // 2)


@pytest.mark.usefixtures("long_lived_host")
async def test_clients_start_stop_send_and_receive_in_one_host(
    fork_server: ForkServer, simulator: Simulator, tmp_path: Path
) -> None:
    organizations = [Organization(number, tmp_path) for number in NUMBERS]
    await link_all(organizations, fork_server, simulator)
    for person in PEOPLE:
        simulator.control.save_person(person)
    stop = asyncio.Event()
    writing = asyncio.create_task(write_to_all(simulator, random.Random(1), stop))
    until = asyncio.get_running_loop().time() + STRESS_SECONDS
    hosts = 0
    while asyncio.get_running_loop().time() < until:
        host = await fork_server.take()
        hosts += 1
        async with asyncio.TaskGroup() as tasks:
            for seed, organization in enumerate(organizations):
                tasks.create_task(organization.run(host, until, random.Random(seed)))
        assert host.alive and not host.stuck
        host.kill()
    stop.set()
    written = await writing
    totals = sum((organization.counts for organization in organizations), Counter[str]())
    arrived = [m["id"] for person in PEOPLE for m in simulator.control.received(person)]
    sent = [message for organization in organizations for message in organization.sent]
    kept = [message for organization in organizations for message in organization.received()]
    confirmed = [m["id"] for m in simulator.control.sent() if m["state"] == "receipted"]
    print(
        f"{CLIENTS} clients, {hosts} hosts, {STRESS_SECONDS:.0f} s: {totals['starts']} starts,"
        f" {len(sent)} sent, {written} written by people, {len(kept)} kept,"
        f" {totals['queries']} queries"
    )
    assert sorted(arrived) == sorted(sent)
    assert len(kept) == len(set(kept))
    assert set(confirmed) <= set(kept)
    assert totals["starts"] >= CLIENTS and sent and kept
