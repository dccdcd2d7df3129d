"""Spools that ended clients have left over are stored and removed; nothing is dropped."""

from __future__ import annotations

import asyncio
import fcntl
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from connections.tests.support.traffic import call, traffic_context
from connections.tests.support.virtual_time import run_in_virtual_time
from connections.worker import spools
from connections.worker.hosts.client import CLOSE_SECONDS, ClientHandle
from connections.worker.message_port import Record
from connections.worker.traffic.incoming import IncomingTraffic
from organizations.encryption import decrypt

pytestmark = pytest.mark.sqlite_only


class RecordingPort:
    """Keeps what it is given, and refuses one record."""

    def __init__(self, refused: str = "") -> None:
        self.stored: list[str] = []
        self._refused = refused

    def store_incoming(self, batches: Sequence[tuple[int, Sequence[Record]]]) -> None:
        ids = [record["id"] for _, records in batches for record in records]
        if self._refused in ids:
            raise ValueError("a value that the database refuses")
        self.stored += ids


class MuteHost:
    """A host whose only client never ends; it trims what it is told to."""

    pid = 1
    client_count = 1
    must_stay = False

    def __init__(self) -> None:
        self.stuck = self.killed = False
        self.orphaned_stores: set[str] = set()
        self.client = ClientHandle(self, 1, "")

    def send(self, command: Mapping[str, Any]) -> None:
        if command["do"] == "trim_spool":
            answer = {"event": "spool_trimmed", "dropped": 0}
            asyncio.get_running_loop().call_soon(self.client.receive, answer)

    def forget(self, ref: int) -> None:
        """Pass no event on, not even that it ended."""

    def kill(self, why: str = "") -> None:
        self.killed = True


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, settings: Settings) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def traffic(port: RecordingPort) -> IncomingTraffic:
    return IncomingTraffic(traffic_context(port))


def spool(connection_id: int, *ids: str) -> Path:
    path = spools.new_path(connection_id, "attempt-1")
    path.write_text("".join(json.dumps({"kind": "message", "id": found}) + "\n" for found in ids))
    return path


async def test_leftover_spool_is_stored_and_removed() -> None:
    path, port = spool(7, "A", "B"), RecordingPort()
    await traffic(port).drain_leftovers()
    assert port.stored == ["A", "B"]
    assert not path.exists()


async def test_refused_record_is_put_aside_and_holds_up_no_other(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = RecordingPort(refused="B")
    spool(7, "A", "B", "C")
    await traffic(port).drain_leftovers()
    assert port.stored == ["A", "C"]
    aside = (data_dir / "spool" / "7" / "refused").read_text()
    assert json.loads(decrypt(aside)) == {"kind": "message", "id": "B"}
    assert "a value that the database refuses" not in caplog.text


async def test_connection_with_a_leftover_spool_is_not_drained() -> None:
    incoming = traffic(RecordingPort())
    assert incoming.is_drained(7)
    spool(7, "A")
    assert not incoming.is_drained(7), "its messages would be taken for lost ones"
    assert incoming.is_drained(8)
    await incoming.drain_leftovers()
    assert incoming.is_drained(7)


@pytest.mark.parametrize("killed", [False, True])
def test_spool_of_a_client_that_was_left_is_read_as_a_leftover(killed: bool) -> None:
    port = RecordingPort()

    async def run() -> None:
        incoming = IncomingTraffic(replace(traffic_context(port), to_thread=call))
        host, path = MuteHost(), spool(7, "A")
        with path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            incoming.follow(7, host.client, path)
            host.client.receive({"event": "spooled"})
            closing = asyncio.create_task(host.client.close())
            await asyncio.sleep(2 * CLOSE_SECONDS if killed else 1)
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)
            assert host.killed == killed
            file.write(json.dumps({"kind": "message", "id": "B"}) + "\n")
            file.flush()
            await asyncio.sleep(1)
            assert not incoming._readers and not incoming._tasks
            assert not incoming.is_drained(7), "its messages would be taken for lost ones"
        await incoming.drain_ended(7)
        assert not path.exists()
        assert not host.client.ended, "nobody knows whether it still sends"

    run_in_virtual_time(run)
    assert port.stored[-1] == "B"
