"""Clients in real host processes that are linked to the simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from connections.worker import spools
from connections.worker.hosts.client import ClientHandle, Event
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import HostHandle
from simulator.process import Simulator, start

SECONDS = 20.0


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A simulator that the tests of a module share."""
    with start(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture
async def fork_server(simulator: Simulator) -> AsyncIterator[ForkServer]:
    """A fork server; the simulator knows no phones yet."""
    simulator.control.reset()
    async with simulated_fork_server(simulator) as running:
        yield running


@pytest.fixture
async def host(fork_server: ForkServer) -> AsyncIterator[HostHandle]:
    taken = await fork_server.take()
    yield taken
    taken.kill()


@asynccontextmanager
async def simulated_fork_server(simulator: Simulator) -> AsyncIterator[ForkServer]:
    """A fork server whose hosts talk to the simulator."""
    environment = {"WHATSAPP_NOISE_ROOT": simulator.noise_root.hex(), **simulator.environment()}
    fork_server = ForkServer(environment, 0)
    try:
        yield fork_server
    finally:
        await fork_server.close()


async def wait_for(client: ClientHandle, *kinds: str) -> Event:
    """Return the next event of one of these kinds; skip others. Raises TimeoutError."""
    while True:
        event = await client.next(SECONDS)
        if event["event"] in kinds:
            return event
        assert event["event"] not in ("ended", "host_gone"), event


async def link_store(
    fork_server: ForkServer, simulator: Simulator, database: Path, number: str
) -> None:
    """Link a number's phone to a new store, in a host process of its own."""
    host = await fork_server.take()
    try:
        client = host.open(str(database), pairing=True)
        code = await wait_for(client, "code")
        simulator.control.scan(code["code"], number=number)
        await wait_for(client, "connected")
        await client.close()
    finally:
        host.kill()


async def open_linked(host: HostHandle, database: Path, spool: Path | None = None) -> ClientHandle:
    """Start a linked store's client and wait until it is connected."""
    client = host.open(str(database), spool=str(spool or ""))
    await wait_for(client, "connected")
    return client


def spooled_lines(spool: Path) -> list[dict[str, Any]]:
    """Return all lines of a spool."""
    found: list[dict[str, Any]] = []
    end = 0
    while (batch := spools.read(spool, end)).lines:
        found += batch.lines
        end = batch.end
    return found


def text_to(number: str, body: str, **fields: Any) -> Event:
    """Return the content of a text to a number."""
    to = {"user": number, "server": "s.whatsapp.net"}
    return {"to": to, "type": "text", "text": {"body": body}, **fields}
