"""Fixtures of real host processes; WhatsApp is unreachable."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from connections.tests.support.waiting import async_until
from connections.worker.hosts.client import ClientHandle, Event
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import HostHandle

SECONDS = 20.0

until = partial(async_until, seconds=SECONDS)


def closed_port() -> int:
    """Return a port on loopback that refuses connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def fork_server_with(warm_hosts: int, **environment: str) -> AsyncIterator[ForkServer]:
    proxy = f"http://127.0.0.1:{closed_port()}"
    unreachable = {"HTTPS_PROXY": proxy, "https_proxy": proxy, "NO_PROXY": "", "no_proxy": ""}
    fork_server = ForkServer({**unreachable, "WHATSAPP_NOISE_ROOT": "", **environment}, warm_hosts)
    try:
        yield fork_server
    finally:
        await fork_server.close()


@pytest.fixture
async def fork_server() -> AsyncIterator[ForkServer]:
    """A fork server without warm hosts."""
    async with fork_server_with(warm_hosts=0) as found:
        yield found


@pytest.fixture
async def host(fork_server: ForkServer) -> AsyncIterator[HostHandle]:
    taken = await fork_server.take()
    yield taken
    taken.kill()
    await wait_until_gone(taken)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "whatsmeow.sqlite3"


def is_running(pid: int) -> bool:
    """Return whether the process exists and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def wait_until_gone(host: HostHandle) -> None:
    await until(lambda: not is_running(host.pid) and not host.alive, "the end of the host process")


async def expect_event(client: ClientHandle, kind: str) -> Event:
    """Return the next event, which must be of this kind. Raises AssertionError, TimeoutError."""
    found = await client.next(SECONDS)
    assert found["event"] == kind, found
    return found
