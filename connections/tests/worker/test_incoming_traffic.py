"""Spools that ended clients have left over are stored and removed; nothing is dropped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from pytest_django import Settings

from connections.tests.support.traffic import traffic_context
from connections.worker import spools
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
