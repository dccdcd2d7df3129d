"""The template and the tables of new stores, made by real host processes."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from connections.tests.support.host_processes import database, fork_server, host
from connections.worker.hosts import store_template
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import HostHandle
from connections.worker.hosts.store_template import StorePreparer, StoreTemplate

__all__ = ["database", "fork_server", "host"]

pytestmark = pytest.mark.sqlite_only


async def test_store_template_has_the_tables_and_no_device(
    fork_server: ForkServer, host: HostHandle, tmp_path: Path
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
    started = asyncio.Event()

    async def prepare(host: HostHandle, database: str, seconds: float) -> None:
        started.set()
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(HostHandle, "prepare", prepare)
    making = asyncio.create_task(StoreTemplate().make(fork_server))
    await started.wait()
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
        with monkeypatch.context() as no_time:
            no_time.setattr(store_template, "PREPARE_SECONDS", 0.0)
            failed = prepare(str(tmp_path / "late.sqlite3"))
            assert failed == "the store could not be opened in time"
        assert prepare(str(tmp_path / "fresh.sqlite3")) == ""
