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

from connections.tests.test_host import event, fork_server_with, gone, runs, until
from connections.worker import host_handle as host_module
from connections.worker import host_pool as hosts_module
from connections.worker.client_handle import Link
from connections.worker.host_handle import HostBroken
from connections.worker.host_pool import HostPool

pytestmark = pytest.mark.sqlite_only

NUMBERS = itertools.count()
LOGGER = "connections.worker.host_handle"


@asynccontextmanager
async def hosts_with(spares: int = 0, **environment: str) -> AsyncIterator[HostPool]:
    """Session hosts, all of which are gone at the end."""
    async with fork_server_with(spares, **environment) as fork_server:
        hosts = HostPool(fork_server)
        try:
            yield hosts
        finally:
            left = [*hosts._hosts, *fork_server._spares]
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
    monkeypatch.setattr(hosts_module, "RELIEVE_SECONDS", 0.0)
    monkeypatch.setattr(hosts_module, "MOVE_SECONDS", 0.0)


# --- Worn out ------------------------------------------------------------------------------------


async def test_a_host_is_retired_after_so_many_starts(
    hosts: HostPool, tmp_path: Path, settings: Settings
) -> None:
    settings.HOST_MAX_STARTS = 3
    links = [await open_one(hosts, tmp_path) for _ in range(4)]
    first, *same, next_one = (link.host for link in links)
    assert {host.pid for host in same} == {first.pid} != {next_one.pid}
    assert (first.retired, next_one.retired) == (True, False)
    assert first.alive, "it still holds clients"


async def test_a_closed_client_counts_as_a_start_all_the_same(
    hosts: HostPool, tmp_path: Path, settings: Settings
) -> None:
    settings.HOST_MAX_STARTS = 2
    pids = []
    for _ in range(4):
        link = await open_one(hosts, tmp_path)
        pids.append(link.host.pid)
        await link.close()
    assert pids[0] == pids[1] != pids[2] == pids[3]
    await until(lambda: not runs(pids[0]), "the end of the empty host")


@pytest.mark.usefixtures("hurried")
async def test_a_host_that_has_grown_too_big_is_retired(
    hosts: HostPool, tmp_path: Path, settings: Settings
) -> None:
    link = await open_one(hosts, tmp_path)
    host = link.host
    await until(lambda: host.wear["megabytes"] > 0, "a word about its size")
    assert host.wear["descriptors"] > 0 and not host.retired
    settings.HOST_MAX_MEMORY_MB = host.wear["megabytes"]
    assert host.retired
    assert (await open_one(hosts, tmp_path)).host.pid != host.pid


async def test_the_clients_of_a_worn_host_move_and_it_is_ended(
    hosts: HostPool, tmp_path: Path, settings: Settings, hurried: None
) -> None:
    links = [await open_one(hosts, tmp_path) for _ in range(3)]
    worn = links[0].host
    await hosts.relieve()
    assert [await moved(link) for link in links] == [False] * 3, "nothing is worn yet"
    settings.HOST_MAX_STARTS = 3
    await hosts.relieve()
    assert [await moved(link) for link in links] == [True] * 3
    for link in links:
        await link.close()
        assert (await open_one(hosts, tmp_path)).host.pid != worn.pid
    await hosts.relieve()
    await gone(worn)


async def test_an_empty_host_that_is_not_worn_stays(
    hosts: HostPool, tmp_path: Path, hurried: None
) -> None:
    link = await open_one(hosts, tmp_path)
    await link.close()
    await hosts.relieve()
    assert link.host.alive
    assert (await open_one(hosts, tmp_path)).host.pid == link.host.pid


async def test_who_may_crash_hosts_has_one_alone(hosts: HostPool, tmp_path: Path) -> None:
    ordinary = await open_one(hosts, tmp_path)
    suspicious = await open_one(hosts, tmp_path, alone=True)
    another = await open_one(hosts, tmp_path, alone=True)
    later = await open_one(hosts, tmp_path)
    assert ordinary.host.pid == later.host.pid
    assert len({link.host.pid for link in (ordinary, suspicious, another)}) == 3
    await suspicious.close()
    await open_one(hosts, tmp_path)
    await gone(suspicious.host)
    assert another.host.alive


async def test_a_full_host_takes_no_more(
    hosts: HostPool, tmp_path: Path, settings: Settings
) -> None:
    settings.SESSIONS_PER_HOST = 2
    links = [await open_one(hosts, tmp_path) for _ in range(3)]
    pids = [link.host.pid for link in links]
    assert pids[0] == pids[1] != pids[2]
    await links[0].close()
    assert (await open_one(hosts, tmp_path)).host.pid == pids[0]


# --- Stuck and dead ------------------------------------------------------------------------------


@pytest.mark.usefixtures("hurried")
async def test_a_stopped_host_is_ended_and_its_clients_hear_why(
    patient_hosts: HostPool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    links = [await open_patient(patient_hosts, tmp_path) for _ in range(2)]
    host = links[0].host
    monkeypatch.setattr(host_module, "ANSWER_STEP_SECONDS", 0.1)
    os.kill(host.pid, signal.SIGSTOP)
    for link in links:
        assert (await event(link, "host_gone"))["error"] == "it had stopped answering"
    await gone(host)
    assert told(caplog) == ["a host process is stuck, and is ended"]
    assert (await open_patient(patient_hosts, tmp_path)).host.pid != host.pid


@pytest.mark.usefixtures("hurried")
async def test_a_host_that_stands_still_for_a_moment_is_left_alone(
    patient_hosts: HostPool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    link = await open_patient(patient_hosts, tmp_path)
    os.kill(link.host.pid, signal.SIGSTOP)
    await asyncio.sleep(0.5)
    os.kill(link.host.pid, signal.SIGCONT)
    link.host.wear["megabytes"] = 0
    await until(lambda: link.host.wear["megabytes"] > 0, "another answer")
    assert link.host.alive and told(caplog) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV])
async def test_a_host_that_dies_is_told_once(
    patient_hosts: HostPool,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    number: signal.Signals,
) -> None:
    links = [await open_patient(patient_hosts, tmp_path) for _ in range(2)]
    os.kill(links[0].host.pid, number)
    for link in links:
        assert (await event(link, "host_gone"))["error"] == "it was killed"
        assert (await event(link, "host_gone"))["error"] == "", "nor does it ever wait"
    await gone(links[0].host)
    assert told(caplog) == ["a host process ended by itself"]
    assert (await open_patient(patient_hosts, tmp_path)).host.alive


async def test_the_last_words_of_the_go_library_are_told() -> None:
    """Real ones: its runtime refuses this setting with a fatal error."""
    async with fork_server_with(spares=0, GOMEMLIMIT="nonsense") as fork_server:
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
async def test_of_its_output_only_the_reason_of_a_crash_is_told(
    patient_hosts: HostPool,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    words: str,
    why: str,
) -> None:
    link = await open_patient(patient_hosts, tmp_path)
    # The same open file as the host's stderr, so what it writes comes after this.
    stderr = link.host._stderr
    os.write(stderr, f"before\n{words}\n\ngoroutine 1 [running]:\n".encode())
    os.kill(link.host.pid, signal.SIGKILL)
    assert (await event(link, "host_gone"))["error"] == why
    (record,) = (record for record in caplog.records if record.name == LOGGER)
    assert (record.getMessage(), vars(record)["why"]) == ("a host process ended by itself", why)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of hosts, above an ordinary word."""
    found = [record for record in caplog.records if record.name == LOGGER]
    return [record.getMessage() for record in found if record.levelno >= logging.WARNING]


# --- What they hold open -------------------------------------------------------------------------


async def test_nothing_stays_open_however_a_host_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hurried: None
) -> None:
    async def live() -> None:
        async with hosts_with(spares=1) as hosts:
            killed, died, stuck, _ = [await open_one(hosts, tmp_path, alone=True) for _ in range(4)]
            killed.host.kill()
            os.kill(died.host.pid, signal.SIGKILL)
            with monkeypatch.context() as hasty:
                hasty.setattr(host_module, "ANSWER_STEP_SECONDS", 0.1)
                os.kill(stuck.host.pid, signal.SIGSTOP)
                for link in (killed, died, stuck):
                    await gone(link.host)
            await hosts.relieve()

    await live()  # What the loop and the libraries open once stays open.
    before = descriptors()
    await live()
    await until(lambda: descriptors() == before, f"{before} descriptors, as before")


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
