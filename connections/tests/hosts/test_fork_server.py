"""The fork server: warm hosts, failures to start, and its end."""

import asyncio
import errno
import os
import signal
from pathlib import Path

import pytest

from connections.tests.support.host_processes import (
    database,
    expect_event,
    fork_server,
    fork_server_with,
    is_running,
    until,
    wait_until_gone,
)
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import HostError

__all__ = ["database", "fork_server"]

pytestmark = pytest.mark.sqlite_only


async def test_killed_warm_host_leaves_no_descriptor_open() -> None:
    async with fork_server_with(warm_hosts=1) as fork_server:
        fork_server.fill()
        await until(lambda: len(fork_server.warm_hosts) == 1, "a warm host")
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            (warm,) = fork_server.warm_hosts
            os.kill(warm.pid, signal.SIGKILL)
            await wait_until_gone(warm)
            taken = await fork_server.take()
            taken.kill()
            await wait_until_gone(taken)
            await until(lambda: len(fork_server.warm_hosts) == 1, "another warm host")
        assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    "call", ["os.memfd_create", "socket.socketpair", "os.pidfd_open", "subprocess.Popen"]
)
async def test_host_that_the_system_refuses_is_a_host_error_and_leaves_nothing_open(
    fork_server: ForkServer, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if call != "subprocess.Popen":
        taken = await fork_server.take()
        taken.kill()
        await wait_until_gone(taken)
    before = len(os.listdir("/proc/self/fd"))

    def refuse(*args: object, **options: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as full:
        full.setattr(call, refuse)
        with pytest.raises(HostError, match="Too many open files"):
            await fork_server.take()
    if call == "subprocess.Popen":
        before += 1  # Our end of the channel, which the next try closes.
    await until(lambda: len(os.listdir("/proc/self/fd")) == before, "as many descriptors")
    host = await fork_server.take()
    host.kill()
    await wait_until_gone(host)


async def test_closing_the_fork_server_ends_all_processes() -> None:
    async with fork_server_with(warm_hosts=1) as fork_server:
        host = await fork_server.take()
        await until(lambda: len(fork_server.warm_hosts) == 1, "a warm host")
        (warm,) = fork_server.warm_hosts
        pid = fork_server.pid
        assert pid is not None
    assert not is_running(pid)
    await wait_until_gone(warm)
    assert host.alive, "its owner ends it"
    host.kill()
    await wait_until_gone(host)


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
        await wait_until_gone(taken)


async def test_warm_host_that_still_starts_is_handed_out() -> None:
    async with fork_server_with(warm_hosts=1) as fork_server:
        fork_server.fill()
        interrupted = asyncio.create_task(fork_server.take())
        await asyncio.sleep(0)
        interrupted.cancel()
        with pytest.raises(asyncio.CancelledError):
            await interrupted
        taken = await fork_server.take()
        children = Path(f"/proc/{fork_server.pid}/task/{fork_server.pid}/children").read_text()
        assert children.split()[0] == str(taken.pid), "the first host that was started"
        taken.kill()
        await wait_until_gone(taken)


async def test_killed_warm_host_is_not_handed_out() -> None:
    async with fork_server_with(warm_hosts=1) as fork_server:
        fork_server.fill()
        await until(lambda: len(fork_server.warm_hosts) == 1, "a warm host")
        (warm,) = fork_server.warm_hosts
        os.kill(warm.pid, signal.SIGKILL)
        await wait_until_gone(warm)
        taken = await fork_server.take()
        assert taken.alive and taken is not warm
        warm.kill()
        taken.kill()
        await wait_until_gone(taken)


async def test_killed_fork_server_is_replaced(fork_server: ForkServer, database: Path) -> None:
    first = await fork_server.take()
    assert fork_server.pid is not None
    os.kill(fork_server.pid, signal.SIGKILL)
    second = await fork_server.take()
    assert first.alive, "the hosts outlive their fork server"
    await expect_event(second.open(str(database)), "ended")
    for host in (first, second):
        host.kill()
        await wait_until_gone(host)


async def test_fork_server_that_cannot_start_raises() -> None:
    async with fork_server_with(
        warm_hosts=0, WHATSAPP_NOISE_ROOT="no hexadecimal number"
    ) as fork_server:
        with pytest.raises(HostError):
            await fork_server.take()


async def test_host_that_cannot_load_the_library_raises() -> None:
    async with fork_server_with(warm_hosts=0, WHATSAPP_NOISE_ROOT="00") as fork_server:
        with pytest.raises(HostError, match="Error"):
            await fork_server.take()


@pytest.mark.parametrize("steps", [1, 2, 3])
async def test_cancelled_wait_takes_no_other_callers_host(
    fork_server: ForkServer, steps: int
) -> None:
    """A request may be superseded while its host starts: the next host has its own pid."""
    waiting = asyncio.create_task(fork_server.take())
    for _ in range(steps):
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    host = await fork_server.take()
    os.kill(host.pid, signal.SIGKILL)
    await wait_until_gone(host)
    host.kill()


async def test_crash_message_of_the_go_library_is_reported() -> None:
    """A real crash: Go's runtime refuses this setting with a fatal error."""
    async with fork_server_with(warm_hosts=0, GOMEMLIMIT="nonsense") as fork_server:
        with pytest.raises(HostError, match="while starting: fatal error: malformed GOMEMLIMIT"):
            await fork_server.take()
