"""Real host processes with the real Go library; WhatsApp is unreachable."""

import mmap
import os
import signal
import time
from pathlib import Path

import pytest

from connections.tests.support.host_processes import (
    database,
    expect_event,
    fork_server,
    host,
    is_running,
    until,
    wait_until_gone,
)
from connections.worker.child import lease_memory
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import HostHandle

__all__ = ["database", "fork_server", "host"]

pytestmark = pytest.mark.sqlite_only

SECONDS = 20.0


async def test_unreachable_server_ends_the_client_with_the_reason(
    host: HostHandle, database: Path
) -> None:
    client = host.open(str(database))
    ended = await expect_event(client, "ended")
    assert "connect" in ended["error"], ended
    assert not client.connected
    assert host.alive and not host.stuck, "only the client ended"


async def test_ended_client_closes_at_once(host: HostHandle, database: Path) -> None:
    client = host.open(str(database))
    await expect_event(client, "ended")
    await client.close()
    await client.close()
    assert (host.client_count, host.stuck) == (0, False)


async def test_host_runs_several_clients(host: HostHandle, tmp_path: Path) -> None:
    clients = [host.open(str(tmp_path / f"{name}.sqlite3")) for name in "abc"]
    assert host.client_count == 3
    for client in clients:
        await expect_event(client, "ended")
    for client in clients:
        await client.close()
    assert host.client_count == 0


async def test_logout_of_an_ended_client_returns_the_reason(
    host: HostHandle, database: Path
) -> None:
    client = host.open(str(database))
    await expect_event(client, "ended")
    assert await client.logout(SECONDS)


async def test_killed_host_sends_host_gone_to_each_client(host: HostHandle, tmp_path: Path) -> None:
    clients = [host.open(str(tmp_path / f"{name}.sqlite3")) for name in "ab"]
    for client in clients:
        await expect_event(client, "ended")
    os.kill(host.pid, signal.SIGKILL)
    for client in clients:
        await expect_event(client, "host_gone")
        await expect_event(client, "host_gone")
    await wait_until_gone(host)
    await clients[0].close()


async def test_ended_host_opens_no_client(host: HostHandle, database: Path) -> None:
    host.kill()
    await wait_until_gone(host)
    await expect_event(host.open(str(database)), "host_gone")
    assert not database.exists()


async def test_killing_a_host_twice_is_no_error(host: HostHandle) -> None:
    host.kill()
    host.kill()
    await wait_until_gone(host)


async def test_host_exits_when_its_socket_closes(fork_server: ForkServer) -> None:
    """The sockets of a killed supervisor close, so its hosts end by themselves."""
    host = await fork_server.take()
    assert host._writer is not None
    host._writer.close()
    await until(lambda: not is_running(host.pid), "the end of the host process")
    host.kill()


async def test_host_exits_and_logs_when_the_lease_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The host ends whatever the supervisor does, and the log has the reason."""
    descriptor = os.memfd_create("lease")
    os.ftruncate(descriptor, lease_memory.SIZE)
    memory = mmap.mmap(descriptor, lease_memory.SIZE)
    fork_server = ForkServer({"WHATSAPP_NOISE_ROOT": ""}, 0, descriptor)
    try:
        lease_memory.write(memory, time.monotonic() + 1)
        host = await fork_server.take()
        await wait_until_gone(host)
        host.kill()
    finally:
        await fork_server.close()
        os.close(descriptor)
    (record,) = [record for record in caplog.records if "ended by itself" in record.message]
    assert vars(record)["why"] == "fatal error: the right to hold sockets was over"


async def test_go_library_prints_nothing_on_our_output(
    host: HostHandle, database: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    await expect_event(host.open(str(database)), "ended")
    assert capfd.readouterr() == ("", "")


async def test_store_is_readable_by_this_user_only(host: HostHandle, database: Path) -> None:
    await expect_event(host.open(str(database)), "ended")
    assert database.stat().st_mode & 0o777 == 0o600
