"""Hosts wear out, get stuck and die: what becomes of them and of the clients in them."""

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

from connections.tests.hosts.test_host import event, fork_server_with, gone, runs, until
from connections.worker.hosts import handle as host_module
from connections.worker.hosts import pool as hosts_module
from connections.worker.hosts.client import Link
from connections.worker.hosts.handle import Host, HostBroken
from connections.worker.hosts.pool import HostPool

pytestmark = pytest.mark.sqlite_only

NUMBERS = itertools.count()
LOGGER = "connections.worker.hosts.handle"


@asynccontextmanager
async def hosts_with(warm_hosts: int = 0, **environment: str) -> AsyncIterator[HostPool]:
    """Session hosts, all of which are gone at the end."""
    async with fork_server_with(warm_hosts, **environment) as fork_server:
        hosts = HostPool(fork_server)
        try:
            yield hosts
        finally:
            left = [*hosts.hosts, *fork_server.warm_hosts]
            hosts.kill()
    for host in left:
        await gone(host)


@pytest.fixture
async def hosts() -> AsyncIterator[HostPool]:
    """Their clients end at once, as WhatsApp cannot be reached."""
    async with hosts_with() as found:
        yield found


@pytest.fixture
async def patient_hosts() -> AsyncIterator[HostPool]:
    """Their clients wait for a proxy that takes their connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with hosts_with(HTTPS_PROXY=proxy, https_proxy=proxy) as found:
            yield found


async def open_one(hosts: HostPool, folder: Path, alone: bool = False) -> Link:
    """A client that is over already, but has its place in a host."""
    link = await open_patient(hosts, folder, alone)
    await event(link, "ended")
    return link


async def open_patient(hosts: HostPool, folder: Path, alone: bool = False) -> Link:
    return await hosts.open(str(folder / f"{next(NUMBERS)}.sqlite3"), alone)


def host_of(link: Link) -> Host:
    assert isinstance(link.host, Host)
    return link.host


async def moved(link: Link) -> bool:
    """Whether it was told to move, or has nothing to say."""
    if link._events.empty():
        return False
    await event(link, "move")
    return True


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a host is asked every few seconds, it is asked all the time."""
    monkeypatch.setattr(host_module, "PING_SECONDS", 0.05)
    monkeypatch.setattr(hosts_module, "RECYCLE_SECONDS", 0.0)
    monkeypatch.setattr(hosts_module, "MOVE_SECONDS", 0.0)


# --- Worn out ------------------------------------------------------------------------------------


async def test_host_with_too_many_starts_is_recycled(
    hosts: HostPool, tmp_path: Path, settings: Settings
) -> None:
    settings.HOST_MAX_STARTS = 3
    links = [await open_one(hosts, tmp_path) for _ in range(4)]
    first, *same, next_one = (host_of(link) for link in links)
    assert {host.pid for host in same} == {first.pid} != {next_one.pid}
    assert (first.recycle, next_one.recycle) == (True, False)
    assert first.alive, "it still holds clients"


async def test_closed_client_still_counts_as_a_start(
    hosts: HostPool, tmp_path: Path, settings: Settings
) -> None:
    settings.HOST_MAX_STARTS = 2
    pids = []
    for _ in range(4):
        link = await open_one(hosts, tmp_path)
        pids.append(host_of(link).pid)
        await link.close()
    assert pids[0] == pids[1] != pids[2] == pids[3]
    await until(lambda: not runs(pids[0]), "the end of the empty host")


@pytest.mark.usefixtures("hurried")
async def test_host_with_too_much_memory_is_recycled(
    hosts: HostPool, tmp_path: Path, settings: Settings
) -> None:
    link = await open_one(hosts, tmp_path)
    host = host_of(link)
    await until(lambda: host.usage["megabytes"] > 0, "a word about its size")
    assert host.usage["descriptors"] > 0 and not host.recycle
    settings.HOST_MAX_MEMORY_MB = host.usage["megabytes"]
    assert host.recycle
    assert host_of(await open_one(hosts, tmp_path)).pid != host.pid


async def test_clients_move_out_of_a_used_up_host_and_it_is_killed(
    hosts: HostPool, tmp_path: Path, settings: Settings, hurried: None
) -> None:
    links = [await open_one(hosts, tmp_path) for _ in range(3)]
    used_up = host_of(links[0])
    await hosts.recycle()
    assert [await moved(link) for link in links] == [False] * 3, "nothing is used_up yet"
    settings.HOST_MAX_STARTS = 3
    await hosts.recycle()
    assert [await moved(link) for link in links] == [True] * 3
    for link in links:
        await link.close()
        assert host_of(await open_one(hosts, tmp_path)).pid != used_up.pid
    await hosts.recycle()
    await gone(used_up)


async def test_empty_host_that_is_not_used_up_stays(
    hosts: HostPool, tmp_path: Path, hurried: None
) -> None:
    link = await open_one(hosts, tmp_path)
    await link.close()
    await hosts.recycle()
    assert host_of(link).alive
    assert host_of(await open_one(hosts, tmp_path)).pid == host_of(link).pid


async def test_client_that_may_crash_hosts_gets_its_own(hosts: HostPool, tmp_path: Path) -> None:
    ordinary = await open_one(hosts, tmp_path)
    suspicious = await open_one(hosts, tmp_path, alone=True)
    another = await open_one(hosts, tmp_path, alone=True)
    later = await open_one(hosts, tmp_path)
    assert host_of(ordinary).pid == host_of(later).pid
    assert len({host_of(link).pid for link in (ordinary, suspicious, another)}) == 3
    await suspicious.close()
    await open_one(hosts, tmp_path)
    await gone(host_of(suspicious))
    assert host_of(another).alive


async def test_full_host_takes_no_more_clients(
    hosts: HostPool, tmp_path: Path, settings: Settings
) -> None:
    settings.SESSIONS_PER_HOST = 2
    links = [await open_one(hosts, tmp_path) for _ in range(3)]
    pids = [host_of(link).pid for link in links]
    assert pids[0] == pids[1] != pids[2]
    await links[0].close()
    assert host_of(await open_one(hosts, tmp_path)).pid == pids[0]


# --- Stuck and dead ------------------------------------------------------------------------------


@pytest.mark.usefixtures("hurried")
async def test_stopped_host_is_killed_and_its_clients_get_the_reason(
    patient_hosts: HostPool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    links = [await open_patient(patient_hosts, tmp_path) for _ in range(2)]
    host = host_of(links[0])
    monkeypatch.setattr(host_module, "ANSWER_STEP_SECONDS", 0.1)
    os.kill(host.pid, signal.SIGSTOP)
    for link in links:
        assert (await event(link, "host_gone"))["error"] == "it had stopped answering"
    await gone(host)
    assert told(caplog) == ["a host process is stuck, and is ended"]
    assert host_of(await open_patient(patient_hosts, tmp_path)).pid != host.pid


@pytest.mark.usefixtures("hurried")
async def test_host_that_answers_late_is_kept(
    patient_hosts: HostPool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    link = await open_patient(patient_hosts, tmp_path)
    os.kill(host_of(link).pid, signal.SIGSTOP)
    await asyncio.sleep(0.5)
    os.kill(host_of(link).pid, signal.SIGCONT)
    host_of(link).usage["megabytes"] = 0
    await until(lambda: host_of(link).usage["megabytes"] > 0, "another answer")
    assert host_of(link).alive and told(caplog) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV])
async def test_end_of_a_host_is_logged_once(
    patient_hosts: HostPool,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    number: signal.Signals,
) -> None:
    links = [await open_patient(patient_hosts, tmp_path) for _ in range(2)]
    os.kill(host_of(links[0]).pid, number)
    for link in links:
        assert (await event(link, "host_gone"))["error"] == "it was killed"
        assert (await event(link, "host_gone"))["error"] == "", "nor does it ever wait"
    await gone(host_of(links[0]))
    assert told(caplog) == ["a host process ended by itself"]
    assert host_of(await open_patient(patient_hosts, tmp_path)).alive


async def test_crash_message_of_the_go_library_is_reported() -> None:
    """Real ones: its runtime refuses this setting with a fatal error."""
    async with fork_server_with(warm_hosts=0, GOMEMLIMIT="nonsense") as fork_server:
        with pytest.raises(HostBroken, match="while starting: fatal error: malformed GOMEMLIMIT"):
            await fork_server.take()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("fatal error: concurrent map writes", "fatal error: concurrent map writes"),
        ("panic: runtime error: index out of range", "panic: runtime error: index out of range"),
        ("panic: message of 5511987654321", "panic:"),
        ("message of 5511987654321", "it was killed"),
    ],
)
async def test_only_crash_messages_of_the_output_are_logged(
    patient_hosts: HostPool,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    words: str,
    why: str,
) -> None:
    link = await open_patient(patient_hosts, tmp_path)
    # The same open file as the host's stderr, so what it writes comes after this.
    stderr = host_of(link)._stderr
    os.write(stderr, f"before\n{words}\n\ngoroutine 1 [running]:\n".encode())
    os.kill(host_of(link).pid, signal.SIGKILL)
    assert (await event(link, "host_gone"))["error"] == why
    (record,) = (record for record in caplog.records if record.name == LOGGER)
    assert (record.getMessage(), vars(record)["why"]) == ("a host process ended by itself", why)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of hosts, above an ordinary word."""
    found = [record for record in caplog.records if record.name == LOGGER]
    return [record.getMessage() for record in found if record.levelno >= logging.WARNING]


# --- What they hold open -------------------------------------------------------------------------


async def test_no_descriptor_stays_open_however_a_host_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hurried: None
) -> None:
    async def live() -> None:
        async with hosts_with(warm_hosts=1) as hosts:
            killed, died, stuck, _ = [await open_one(hosts, tmp_path, alone=True) for _ in range(4)]
            host_of(killed).kill()
            os.kill(host_of(died).pid, signal.SIGKILL)
            with monkeypatch.context() as hasty:
                hasty.setattr(host_module, "ANSWER_STEP_SECONDS", 0.1)
                os.kill(host_of(stuck).pid, signal.SIGSTOP)
                for link in (killed, died, stuck):
                    await gone(host_of(link))
            await hosts.recycle()

    await live()  # What the loop and the libraries open once stays open.
    before = descriptors()
    await live()
    await until(lambda: descriptors() == before, f"{before} descriptors, as before")


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
