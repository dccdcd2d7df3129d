"""Hosts that leak, get stuck or crash, and the clients in them."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pytest_django import Settings

from connections.tests.support.host_processes import (
    expect_event,
    fork_server_with,
    is_running,
    until,
    wait_until_gone,
)
from connections.worker.hosts import client as client_module
from connections.worker.hosts import handle, pool
from connections.worker.hosts.client import ClientHandle
from connections.worker.hosts.handle import HostHandle
from connections.worker.hosts.pool import HostPool

pytestmark = pytest.mark.sqlite_only

STORE_NUMBERS = itertools.count()
LOGGER = "connections.worker.hosts.handle"


@asynccontextmanager
async def host_pool_with(warm_hosts: int = 0, **environment: str) -> AsyncIterator[HostPool]:
    """A pool of hosts; wait until all of them have ended."""
    async with fork_server_with(warm_hosts, **environment) as fork_server:
        hosts = HostPool(fork_server)
        try:
            yield hosts
        finally:
            remaining = [*hosts.hosts, *fork_server.warm_hosts]
            hosts.kill()
    for host in remaining:
        await wait_until_gone(host)


@pytest.fixture
async def hosts() -> AsyncIterator[HostPool]:
    """A pool whose clients end at once, as WhatsApp cannot be reached."""
    async with host_pool_with() as found:
        yield found


@pytest.fixture
async def dialling_hosts() -> AsyncIterator[HostPool]:
    """A pool whose clients dial through a proxy that never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with host_pool_with(HTTPS_PROXY=proxy, https_proxy=proxy) as found:
            yield found


async def open_ended(hosts: HostPool, folder: Path, dedicated: bool = False) -> ClientHandle:
    """Open a client and wait until it has ended; it still counts in its host."""
    client = await open_dialling(hosts, folder, dedicated)
    await expect_event(client, "ended")
    return client


async def open_dialling(hosts: HostPool, folder: Path, dedicated: bool = False) -> ClientHandle:
    return await hosts.open(str(folder / f"{next(STORE_NUMBERS)}.sqlite3"), dedicated)


def host_of(client: ClientHandle) -> HostHandle:
    assert isinstance(client.host, HostHandle)
    return client.host


async def was_asked_to_move(client: ClientHandle) -> bool:
    """Return whether the client's next event is "move"; False without an event."""
    if client._events.empty():
        return False
    await expect_event(client, "move")
    return True


@pytest.fixture
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ping hosts and recycle them all the time instead of every few seconds."""
    monkeypatch.setattr(handle, "PING_SECONDS", 0.05)
    monkeypatch.setattr(pool, "RECYCLE_SECONDS", 0.0)
    monkeypatch.setattr(pool, "MOVE_PAUSE_SECONDS", 0.0)


# --- Recycling -----------------------------------------------------------------------------------


async def test_host_with_too_many_starts_is_recycled(
    hosts: HostPool, tmp_path: Path, settings: Settings
) -> None:
    settings.HOST_MAX_STARTS = 3
    clients = [await open_ended(hosts, tmp_path) for _ in range(4)]
    first, *same, next_one = (host_of(client) for client in clients)
    assert {host.pid for host in same} == {first.pid} != {next_one.pid}
    assert (first.needs_recycling, next_one.needs_recycling) == (True, False)
    assert first.alive, "it still holds clients"


async def test_closed_client_still_counts_as_a_start(
    hosts: HostPool, tmp_path: Path, settings: Settings
) -> None:
    settings.HOST_MAX_STARTS = 2
    pids = []
    for _ in range(4):
        client = await open_ended(hosts, tmp_path)
        pids.append(host_of(client).pid)
        await client.close()
    assert pids[0] == pids[1] != pids[2] == pids[3]
    await until(lambda: not is_running(pids[0]), "the end of the empty host")


@pytest.mark.usefixtures("short_intervals")
async def test_host_with_too_much_memory_is_recycled(
    hosts: HostPool, tmp_path: Path, settings: Settings
) -> None:
    client = await open_ended(hosts, tmp_path)
    host = host_of(client)
    await until(lambda: host.usage["megabytes"] > 0, "a report of its memory")
    assert host.usage["descriptors"] > 0 and not host.needs_recycling
    settings.HOST_MAX_MEMORY_MB = host.usage["megabytes"]
    assert host.needs_recycling
    assert host_of(await open_ended(hosts, tmp_path)).pid != host.pid


async def test_clients_move_out_of_a_recycled_host_and_it_is_killed(
    hosts: HostPool, tmp_path: Path, settings: Settings, short_intervals: None
) -> None:
    clients = [await open_ended(hosts, tmp_path) for _ in range(3)]
    old_host = host_of(clients[0])
    await hosts.recycle()
    assert [await was_asked_to_move(client) for client in clients] == [False] * 3, (
        "no host needs recycling yet"
    )
    settings.HOST_MAX_STARTS = 3
    await hosts.recycle()
    assert [await was_asked_to_move(client) for client in clients] == [True] * 3
    for client in clients:
        await client.close()
        assert host_of(await open_ended(hosts, tmp_path)).pid != old_host.pid
    await hosts.recycle()
    await wait_until_gone(old_host)


async def test_links_stay_in_a_stuck_host_until_an_outage_is_over(
    dialling_hosts: HostPool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    short_intervals: None,
) -> None:
    monkeypatch.setattr(client_module, "CLOSE_SECONDS", 0.1)
    monkeypatch.setattr(client_module, "MOVE_OUT_SECONDS", 0.3)
    outage = True
    dialling_hosts.blocked = lambda: outage
    dialling, linked = [await open_dialling(dialling_hosts, tmp_path) for _ in range(2)]
    host = host_of(linked)
    linked.connected = True
    send = host.send
    # As for a client whose dial hangs.
    monkeypatch.setattr(host, "send", lambda said: said["do"] == "close" or send(said))
    closing = asyncio.create_task(dialling.close())
    await until(lambda: host.stuck, "a client that does not stop")
    await dialling_hosts.recycle()
    assert not await was_asked_to_move(linked)
    await asyncio.sleep(1.0)
    assert host.alive and not closing.done()
    assert host_of(await open_dialling(dialling_hosts, tmp_path)).pid != host.pid
    outage = False
    await dialling_hosts.recycle()
    assert await was_asked_to_move(linked)
    await closing
    await wait_until_gone(host)


async def test_empty_host_that_needs_no_recycling_stays(
    hosts: HostPool, tmp_path: Path, short_intervals: None
) -> None:
    client = await open_ended(hosts, tmp_path)
    await client.close()
    await hosts.recycle()
    assert host_of(client).alive
    assert host_of(await open_ended(hosts, tmp_path)).pid == host_of(client).pid


async def test_client_that_may_crash_hosts_gets_a_dedicated_host(
    hosts: HostPool, tmp_path: Path
) -> None:
    ordinary = await open_ended(hosts, tmp_path)
    suspicious = await open_ended(hosts, tmp_path, dedicated=True)
    another = await open_ended(hosts, tmp_path, dedicated=True)
    later = await open_ended(hosts, tmp_path)
    assert host_of(ordinary).pid == host_of(later).pid
    assert len({host_of(client).pid for client in (ordinary, suspicious, another)}) == 3
    await suspicious.close()
    await open_ended(hosts, tmp_path)
    await wait_until_gone(host_of(suspicious))
    assert host_of(another).alive


async def test_full_host_takes_no_more_clients(
    hosts: HostPool, tmp_path: Path, settings: Settings
) -> None:
    settings.SESSIONS_PER_HOST = 2
    clients = [await open_ended(hosts, tmp_path) for _ in range(3)]
    pids = [host_of(client).pid for client in clients]
    assert pids[0] == pids[1] != pids[2]
    await clients[0].close()
    assert host_of(await open_ended(hosts, tmp_path)).pid == pids[0]


# --- Stuck and crashed ---------------------------------------------------------------------------


@pytest.mark.usefixtures("short_intervals")
async def test_stopped_host_is_killed_and_its_clients_get_the_reason(
    dialling_hosts: HostPool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clients = [await open_dialling(dialling_hosts, tmp_path) for _ in range(2)]
    host = host_of(clients[0])
    monkeypatch.setattr(handle, "ANSWER_STEP_SECONDS", 0.1)
    os.kill(host.pid, signal.SIGSTOP)
    for client in clients:
        assert (await expect_event(client, "host_gone"))["error"] == "it had stopped answering"
    await wait_until_gone(host)
    assert logged_messages(caplog) == ["killing a host process that does not answer"]
    assert host_of(await open_dialling(dialling_hosts, tmp_path)).pid != host.pid


@pytest.mark.usefixtures("short_intervals")
async def test_host_that_answers_late_is_kept(
    dialling_hosts: HostPool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = await open_dialling(dialling_hosts, tmp_path)
    os.kill(host_of(client).pid, signal.SIGSTOP)
    await asyncio.sleep(0.5)
    os.kill(host_of(client).pid, signal.SIGCONT)
    host_of(client).usage["megabytes"] = 0
    await until(lambda: host_of(client).usage["megabytes"] > 0, "another answer")
    assert host_of(client).alive and logged_messages(caplog) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV])
async def test_end_of_a_host_is_logged_once(
    dialling_hosts: HostPool,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    number: signal.Signals,
) -> None:
    clients = [await open_dialling(dialling_hosts, tmp_path) for _ in range(2)]
    os.kill(host_of(clients[0]).pid, number)
    for client in clients:
        assert (await expect_event(client, "host_gone"))["error"] == "it was killed"
        assert (await expect_event(client, "host_gone"))["error"] == "", (
            "further calls return at once"
        )
    await wait_until_gone(host_of(clients[0]))
    assert logged_messages(caplog) == ["a host process ended by itself"]
    assert host_of(await open_dialling(dialling_hosts, tmp_path)).alive


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("fatal error: concurrent map writes", "fatal error: concurrent map writes"),
        ("panic: runtime error: index out of range", "panic: runtime error: index out of range"),
        ("panic: message of 5511987654321", "panic:"),
        ("message of 5511987654321", "it was killed"),
    ],
)
async def test_only_crash_messages_of_the_output_are_logged(
    dialling_hosts: HostPool,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    output: str,
    why: str,
) -> None:
    client = await open_dialling(dialling_hosts, tmp_path)
    # This is the same open file as the host's stderr.
    stderr = host_of(client)._stderr
    os.write(stderr, f"before\n{output}\n\ngoroutine 1 [running]:\n".encode())
    os.kill(host_of(client).pid, signal.SIGKILL)
    assert (await expect_event(client, "host_gone"))["error"] == why
    (record,) = (record for record in caplog.records if record.name == LOGGER)
    assert (record.getMessage(), vars(record)["why"]) == ("a host process ended by itself", why)


def logged_messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the messages of the host's logger, from WARNING up."""
    found = [record for record in caplog.records if record.name == LOGGER]
    return [record.getMessage() for record in found if record.levelno >= logging.WARNING]


# --- Descriptors ---------------------------------------------------------------------------------


async def test_no_descriptor_stays_open_however_a_host_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_intervals: None
) -> None:
    async def run_hosts_to_their_end() -> None:
        async with host_pool_with(warm_hosts=1) as hosts:
            killed, died, stuck, _ = [
                await open_ended(hosts, tmp_path, dedicated=True) for _ in range(4)
            ]
            host_of(killed).kill()
            os.kill(host_of(died).pid, signal.SIGKILL)
            with monkeypatch.context() as short_answers:
                short_answers.setattr(handle, "ANSWER_STEP_SECONDS", 0.1)
                os.kill(host_of(stuck).pid, signal.SIGSTOP)
                for client in (killed, died, stuck):
                    await wait_until_gone(host_of(client))
            await hosts.recycle()

    await run_hosts_to_their_end()  # The loop and the libraries open some descriptors once.
    before = descriptors()
    await run_hosts_to_their_end()
    await until(lambda: descriptors() == before, f"{before} descriptors, as before")


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
