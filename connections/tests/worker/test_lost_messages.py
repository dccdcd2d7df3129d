"""The comparison of a store with the stored messages, before its next login."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pytest_django import Settings

from connections.actions import Fence
from connections.stores import StoreDamaged
from connections.stores.base import MessageSecret, StoreKey
from connections.tests.support.traffic import traffic_context
from connections.worker import spools
from connections.worker.message_port import Record, StoredSecret
from connections.worker.traffic import lost
from connections.worker.traffic.incoming import IncomingTraffic
from connections.worker.traffic.lost import LostMessages

pytestmark = pytest.mark.sqlite_only

FENCE = Fence(7, 1, 1)
STORE = "attempt-1"
DAMAGED = 8


class Recorder:
    """A port and a store in one: keeps in order what it is asked to do."""

    def __init__(self, rows: int = 0, checked: int = 0, error: Exception | None = None) -> None:
        self.calls: list[object] = []
        self.answers: list[int | None] = []  # of the next records of secrets
        self._rows, self._checked, self._error = rows, checked, error

    def store_incoming(self, batches: Sequence[tuple[int, Sequence[Record]]]) -> None:
        self.calls += [record["id"] for _, records in batches for record in records]

    def secrets_position(self, fence: Fence) -> int:
        return self._checked

    def record_secrets(
        self, fence: Fence, secrets: Sequence[StoredSecret], position: int, newest: int
    ) -> int | None:
        if self.answers:
            return self.answers.pop(0)
        self.calls.append([*(secret.row for secret in secrets), f"position {position}"])
        return position

    def newest_secret(self, organization_id: int, store: str) -> int:
        if self._error:
            raise self._error
        return self._rows

    def newest_secrets(self, stores: Sequence[StoreKey]) -> dict[StoreKey, int | StoreDamaged]:
        self.calls.append(f"read {len(stores)}")
        return {key: StoreDamaged() if key[0] == DAMAGED else self._rows for key in stores}

    def add_rows(self, count: int) -> None:
        self._rows += count

    def message_secrets(self, _: int, store: str, after: int, upto: int) -> list[MessageSecret]:
        wanted = range(after + 1, min(upto, after + 2) + 1)  # two at most
        return [MessageSecret(row, "1@lid", "1@lid", str(row), b"") for row in wanted]

    def linked_lid(self, organization_id: int, store: str) -> str:
        return "2"

    async def find(self) -> None:
        """Compare before a login."""

        context = traffic_context(self, self)
        await LostMessages(context, IncomingTraffic(context)).find_before_login(FENCE, STORE)


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, settings: Settings) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def spool(pairing: bool = False) -> Path:
    path = spools.new_path(FENCE.connection_id, STORE, pairing)
    path.write_text(json.dumps({"kind": "message", "id": "A"}) + "\n")
    return path


@pytest.mark.parametrize("pairing", [False, True])
async def test_left_lines_are_stored_before_the_table_is_compared(pairing: bool) -> None:
    spool(pairing)
    recorder = Recorder(rows=4, checked=1)
    await recorder.find()
    assert recorder.calls == ["A", [2, 3, "position 3"], [4, "position 4"]]


async def test_nothing_new_is_not_compared() -> None:
    recorder = Recorder(rows=4, checked=4)
    await recorder.find()
    assert recorder.calls == []


async def test_position_behind_a_table_that_counts_anew_moves_to_its_end() -> None:
    recorder = Recorder(rows=4, checked=9)
    await recorder.find()
    assert recorder.calls == [["position 4"]]
    gone = Recorder(rows=0, checked=9)
    await gone.find()
    assert gone.calls == []


async def test_login_does_not_wait_for_a_spool_that_stays_in_use(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its lines would be taken for lost messages, so nothing is compared."""
    monkeypatch.setattr(lost, "BEFORE_LOGIN_SECONDS", 0.2)
    recorder = Recorder(rows=4)
    with spool().open() as in_use:
        fcntl.flock(in_use, fcntl.LOCK_EX)
        await recorder.find()
    assert recorder.calls == []
    assert "could not be compared" in caplog.text


async def test_rows_wait_for_a_history_that_is_on_its_way() -> None:
    recorder = Recorder(rows=4)
    recorder.answers = [None]
    context = traffic_context(recorder, recorder)
    messages = LostMessages(context, IncomingTraffic(context))
    await messages.find_before_login(FENCE, STORE)
    assert recorder.calls == []
    await messages.find_before_login(FENCE, STORE)
    assert recorder.calls == [[1, 2, "position 2"], [3, 4, "position 4"]]


async def test_rows_that_are_not_compared_any_more_are_left_out() -> None:
    recorder = Recorder(rows=4)
    recorder.answers = [4]
    await recorder.find()
    assert recorder.calls == []


async def test_unreadable_store_does_not_hold_up_the_login(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await Recorder(error=StoreDamaged("a quoted value")).find()
    assert "could not be compared" in caplog.text
    assert "a quoted value" not in caplog.text


async def test_round_compares_the_rows_that_were_there_a_round_ago(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All tables are read together, and a damaged one is told without holding up the others."""
    monkeypatch.setattr(lost, "ROUND_SECONDS", 0.0)
    monkeypatch.setattr(lost, "STORES_PER_READING", 2)
    recorder = Recorder(rows=1)
    fences = (Fence(DAMAGED, 1, 1), FENCE, Fence(9, 1, 1))
    tasks = {
        fence.connection_id: SimpleNamespace(id=fence.connection_id, fence=fence, store_name=STORE)
        for fence in fences
    }
    context = replace(traffic_context(recorder, recorder), tasks=lambda: cast(Any, tasks))
    messages = LostMessages(context, IncomingTraffic(context))
    await messages.run_round()
    assert recorder.calls == ["read 2", "read 1"]
    recorder.calls.clear()
    recorder.add_rows(1)
    await messages.run_round()
    assert recorder.calls == ["read 2", [1, "position 1"], "read 1", [1, "position 1"]]
    assert caplog.text.count("a store cannot be read") == 2
