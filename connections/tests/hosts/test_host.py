"""Real host processes with the real Go library, and a WhatsApp that no one can reach."""

import asyncio
import mmap
import os
import signal
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from connections.worker.child import lease_memory
from connections.worker.hosts import store_template
from connections.worker.hosts.client import Event, Link
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import Host, HostBroken
from connections.worker.hosts.store_template import StorePreparer, StoreTemplate

pytestmark = pytest.mark.sqlite_only

SECONDS = 20.0


def closed_port() -> int:
    """A port on loopback that refuses connections."""
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
    """One that keeps no warm hosts."""
    async with fork_server_with(warm_hosts=0) as found:
        yield found


@pytest.fixture
async def host(fork_server: ForkServer) -> AsyncIterator[Host]:
    taken = await fork_server.take()
    yield taken
    taken.kill()
    await gone(taken)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "whatsmeow.sqlite3"


async def until(look: Callable[[], bool], what: str) -> None:
    """Return as soon as `look` says so. Raises AssertionError when it takes too long."""
    deadline = asyncio.get_running_loop().time() + SECONDS
    while not look():
        assert asyncio.get_running_loop().time() < deadline, f"not within {SECONDS:g} s: {what}"
        await asyncio.sleep(0.01)


def runs(pid: int) -> bool:
    """Whether the process is there, and not only waits for someone to notice its end."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def gone(host: Host) -> None:
    await until(lambda: not runs(host.pid) and not host.alive, "the end of the host process")


async def event(link: Link, kind: str) -> Event:
    """The next event of a kind. Raises AssertionError, TimeoutError."""
    found = await link.next(SECONDS)
    assert found["event"] == kind, found
    return found


async def test_unreachable_server_ends_the_client_with_the_reason(
    host: Host, database: Path
) -> None:
    link = host.open(str(database))
    ended = await event(link, "ended")
    assert "connect" in ended["error"], ended
    assert not link.connected
    assert host.alive and not host.stuck, "only the client is over"


async def test_ended_client_closes_at_once(host: Host, database: Path) -> None:
    link = host.open(str(database))
    await event(link, "ended")
    await link.close()
    await link.close()
    assert (host.sessions, host.stuck) == (0, False)


async def test_host_runs_several_clients(host: Host, tmp_path: Path) -> None:
    links = [host.open(str(tmp_path / f"{name}.sqlite3")) for name in "abc"]
    assert host.sessions == 3
    for link in links:
        await event(link, "ended")
    for link in links:
        await link.close()
    assert host.sessions == 0


async def test_logout_of_an_ended_client_returns_the_reason(host: Host, database: Path) -> None:
    link = host.open(str(database))
    await event(link, "ended")
    assert await link.logout(SECONDS)


async def test_every_client_hears_that_its_host_was_killed(host: Host, tmp_path: Path) -> None:
    links = [host.open(str(tmp_path / f"{name}.sqlite3")) for name in "ab"]
    for link in links:
        await event(link, "ended")
    os.kill(host.pid, signal.SIGKILL)
    for link in links:
        await event(link, "host_gone")
        await event(link, "host_gone")
    await gone(host)
    await links[0].close()


async def test_ended_host_opens_no_client(host: Host, database: Path) -> None:
    host.kill()
    await gone(host)
    await event(host.open(str(database)), "host_gone")
    assert not database.exists()


async def test_killing_a_host_twice_is_no_error(host: Host) -> None:
    host.kill()
    host.kill()
    await gone(host)


async def test_host_exits_when_its_socket_closes(fork_server: ForkServer) -> None:
    """A killed supervisor's sockets close: nobody has to find its hosts."""
    host = await fork_server.take()
    assert host._writer is not None
    host._writer.close()
    await until(lambda: not runs(host.pid), "the end of the host process")
    host.kill()


async def test_killed_warm_host_leaves_no_descriptor_open() -> None:
    async with fork_server_with(warm_hosts=1) as fork_server:
        fork_server.fill()
        await until(lambda: len(fork_server.warm_hosts) == 1, "a warm host")
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            (warm,) = fork_server.warm_hosts
            os.kill(warm.pid, signal.SIGKILL)
            await gone(warm)
            taken = await fork_server.take()
            taken.kill()
            await gone(taken)
            await until(lambda: len(fork_server.warm_hosts) == 1, "another warm host")
        assert len(os.listdir("/proc/self/fd")) == before


async def test_store_template_has_the_tables_and_no_device(
    fork_server: ForkServer, host: Host, tmp_path: Path
) -> None:
    template = StoreTemplate()
    await template.make(fork_server)
    (tmp_path / "template.sqlite3").write_bytes(template.content)
    await host.prepare(str(tmp_path / "fresh.sqlite3"), 10)
    tables = "SELECT name, sql FROM sqlite_master ORDER BY name"
    found = []
    for name in ("template", "fresh"):
        with closing(sqlite3.connect(tmp_path / f"{name}.sqlite3")) as opened:
            found.append(opened.execute(tables).fetchall())
            (devices,) = opened.execute("SELECT count(*) FROM whatsmeow_device").fetchone()
            assert devices == 0
    assert found[0] == found[1] != []


async def test_cancelled_store_template_is_not_made(
    fork_server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def prepare(host: Host, database: str, seconds: float) -> None:
        begun.set()
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(Host, "prepare", prepare)
    making = asyncio.create_task(StoreTemplate().make(fork_server))
    await begun.wait()
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making


def test_preparer_goes_on_after_a_store_that_cannot_be_made(tmp_path: Path) -> None:
    path = tmp_path / "fresh.sqlite3"
    with StorePreparer() as prepare:
        assert "unable to open database file" in prepare(str(tmp_path / "missing" / "x.sqlite3"))
        assert prepare(str(path)) == ""
    with closing(sqlite3.connect(path)) as opened:
        assert opened.execute("SELECT count(*) FROM whatsmeow_device").fetchone() == (0,)


def test_preparer_replaces_a_host_that_does_not_answer_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StorePreparer() as prepare:
        with monkeypatch.context() as hurried:
            hurried.setattr(store_template, "PREPARE_SECONDS", 0.0)
            failed = prepare(str(tmp_path / "late.sqlite3"))
            assert failed == "the store could not be opened in time"
        assert prepare(str(tmp_path / "fresh.sqlite3")) == ""


async def test_host_exits_and_logs_when_the_lease_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever has become of the supervisor; and the log says why."""
    descriptor = os.memfd_create("lease")
    os.ftruncate(descriptor, lease_memory.SIZE)
    memory = mmap.mmap(descriptor, lease_memory.SIZE)
    fork_server = ForkServer({"WHATSAPP_NOISE_ROOT": ""}, 0, descriptor)
    try:
        lease_memory.write(memory, time.monotonic() + 1)
        host = await fork_server.take()
        await gone(host)
        host.kill()
    finally:
        await fork_server.close()
        os.close(descriptor)
    (told,) = [record for record in caplog.records if "ended by itself" in record.message]
    assert vars(told)["why"] == "fatal error: the right to hold sockets was over"


async def test_closing_the_fork_server_ends_all_processes() -> None:
    async with fork_server_with(warm_hosts=1) as fork_server:
        host = await fork_server.take()
        await until(lambda: len(fork_server.warm_hosts) == 1, "a warm host")
        (warm,) = fork_server.warm_hosts
        pid = fork_server.pid
        assert pid is not None
    assert not runs(pid)
    await gone(warm)
    assert host.alive, "whoever took it ends it"
    host.kill()
    await gone(host)


async def test_taken_warm_host_is_replaced() -> None:
    async with fork_server_with(warm_hosts=1) as fork_server:
        fork_server.fill()
        await until(lambda: len(fork_server.warm_hosts) == 1, "a warm host")
        (warm,) = fork_server.warm_hosts
        taken = await fork_server.take()
        assert taken is warm
        await until(lambda: len(fork_server.warm_hosts) == 1, "another warm host")
        assert fork_server.warm_hosts[0].pid != taken.pid
        taken.kill()
        await gone(taken)


async def test_killed_warm_host_is_not_handed_out() -> None:
    async with fork_server_with(warm_hosts=1) as fork_server:
        fork_server.fill()
        await until(lambda: len(fork_server.warm_hosts) == 1, "a warm host")
        (warm,) = fork_server.warm_hosts
        os.kill(warm.pid, signal.SIGKILL)
        await gone(warm)
        taken = await fork_server.take()
        assert taken.alive and taken is not warm
        warm.kill()
        taken.kill()
        await gone(taken)


async def test_killed_fork_server_is_replaced(fork_server: ForkServer, database: Path) -> None:
    first = await fork_server.take()
    assert fork_server.pid is not None
    os.kill(fork_server.pid, signal.SIGKILL)
    second = await fork_server.take()
    assert first.alive, "the hosts outlive their fork server"
    await event(second.open(str(database)), "ended")
    for host in (first, second):
        host.kill()
        await gone(host)


async def test_fork_server_that_cannot_start_raises() -> None:
    async with fork_server_with(
        warm_hosts=0, WHATSAPP_NOISE_ROOT="no hexadecimal number"
    ) as fork_server:
        with pytest.raises(HostBroken):
            await fork_server.take()


async def test_host_that_cannot_load_the_library_raises() -> None:
    async with fork_server_with(warm_hosts=0, WHATSAPP_NOISE_ROOT="00") as fork_server:
        with pytest.raises(HostBroken, match="Error"):
            await fork_server.take()


@pytest.mark.parametrize("steps", [1, 2, 3])
async def test_cancelled_wait_takes_no_other_callers_host(
    fork_server: ForkServer, steps: int
) -> None:
    """A request superseded while its host was being made: the next host has its own number."""
    waiting = asyncio.create_task(fork_server.take())
    for _ in range(steps):
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    host = await fork_server.take()
    os.kill(host.pid, signal.SIGKILL)
    await gone(host)
    host.kill()


async def test_go_library_prints_nothing_on_our_output(
    host: Host, database: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    await event(host.open(str(database)), "ended")
    assert capfd.readouterr() == ("", "")


async def test_store_is_readable_by_this_user_only(host: Host, database: Path) -> None:
    await event(host.open(str(database)), "ended")
    assert database.stat().st_mode & 0o777 == 0o600
