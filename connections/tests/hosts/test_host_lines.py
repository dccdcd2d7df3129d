"""What a host process says, line by line; a script takes its place."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from connections.tests.support.host_processes import expect_event
from connections.worker.child.host_process import MAX_TEXT, shorten_texts
from connections.worker.hosts.client import ClientHandle
from connections.worker.hosts.handle import MAX_LINE_BYTES, HostHandle

pytestmark = pytest.mark.sqlite_only

SECONDS = 10.0


@dataclass
class SpeakingHost:
    """A process that does nothing, and the end of its channel, where a test speaks for it."""

    handle: HostHandle
    process: subprocess.Popen[bytes]
    clients: list[ClientHandle]
    channel: socket.socket

    async def say(self, line: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.channel, line + b"\n")


def event(ref: int, kind: str, **fields: object) -> bytes:
    return json.dumps({"ref": ref, "event": kind, **fields}).encode()


@pytest.fixture
async def host() -> AsyncIterator[SpeakingHost]:
    """A host with two clients."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    own_end, host_end = socket.socketpair()
    host_end.setblocking(False)
    handle = HostHandle(process.pid, own_end, os.memfd_create("host stderr"))
    host_end.send(event(0, "ready") + b"\n")
    await handle.start()
    with host_end:
        clients = [handle.open(name) for name in ("first", "second")]
        yield SpeakingHost(handle, process, clients, host_end)
        handle.kill()
    process.wait(SECONDS)
    await asyncio.wait([handle._listen_task] if handle._listen_task else [])


async def test_long_error_ends_one_client_alone(host: SpeakingHost) -> None:
    first, second = host.clients
    await host.say(event(1, "ended", error="e" * 70_000, cause="dial"))
    await host.say(event(2, "reached"))
    await expect_event(first, "ended")
    await expect_event(second, "reached")
    assert host.process.poll() is None


@pytest.mark.parametrize(
    "line",
    [b"no JSON", event(1, "connected")[:-1], b'{"event": "pong"}', b"e" * (MAX_LINE_BYTES + 1)],
    ids=["no JSON", "cut off", "no client", "endless"],
)
async def test_host_that_sends_nonsense_is_killed(host: SpeakingHost, line: bytes) -> None:
    await host.say(line)
    for client in host.clients:
        await expect_event(client, "host_gone")
    assert await asyncio.to_thread(host.process.wait, SECONDS) < 0
    assert not host.handle.alive


def test_host_shortens_what_others_have_chosen() -> None:
    said = {"event": "ended", "error": "\ufffd" * 1_000_000, "code": 7, "found": {"5511": None}}
    assert shorten_texts(said) == {**said, "error": "\ufffd" * MAX_TEXT}
