"""A backup of a running product is restored on an empty machine, and nobody scans again."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.application import Application, query_postgres
from tests.support.messages_api import Chat
from whatsapp_orgs.backups.tests.machine import rewrite


def back_up(product: Application, folder: Path) -> Path:
    """Back up a running product into a folder. Return the file."""
    printed = product.manage("backup", f"{folder}/", "--json", "--keep", "1")
    written = json.loads(printed)
    assert (written["success"], written["warnings"], written["counts"]["stores"]) == (True, [], 1)
    (file,) = folder.iterdir()
    assert written["place"] == str(file)
    assert file.stat().st_mode & 0o777 == 0o600
    return file


def empty_machine(folder: Path, lost: Application) -> Application:
    """Return a product that was never started. WhatsApp and the phones go on as they are."""
    product = Application(folder)
    folder.mkdir(mode=0o700)
    shutil.move(lost.data_dir / "simulator", folder / "simulator")
    shutil.copy(lost.data_dir / "secret_key", folder / "secret_key")
    if product._database is not None:
        create = f"CREATE DATABASE {product._database.name}".encode()
        query_postgres(product._database.server, create)
    return product


def unusable_store(folder: Path, product: Application) -> bytes:
    """Return a store that no backend takes: schemas read it, folders only open it."""
    if product._database is None:
        return b"no database" * 1000
    with closing(sqlite3.connect(folder / "store.sqlite3")) as db, db:
        db.execute("CREATE TABLE whatsmeow_version (version INTEGER, compat INTEGER)")
        db.execute("INSERT INTO whatsmeow_version VALUES (9999, 9999)")
    return (folder / "store.sqlite3").read_bytes()


def exit_code(product: Application, *arguments: str) -> int:
    """Run a management command that fails. Return its exit code."""
    with pytest.raises(subprocess.CalledProcessError) as failed:
        product.manage(*arguments)
    return failed.value.returncode


@pytest.mark.servers
def test_restored_backup_is_linked_and_sends_without_a_scan(tmp_path: Path) -> None:
    with Application(tmp_path / "first") as first:
        chat = Chat.start(first, first.organization(), name="Ana")
        chat.write("Oi")
        chat.wait_for_event("message.received")
        chat.wait_for_state(chat.send("before the backup"), "delivered")
        (tmp_path / "backups").mkdir()
        backup = back_up(first, tmp_path / "backups")
        assert exit_code(first, "restore", str(backup), "--replace") == 1
        # The keys of the conversation go on; the restored ones are behind.
        chat.wait_for_state(chat.send("after the backup"), "delivered")
        chat.write("Tudo bem?")
        chat.wait_for_event("message.received")
        first.kill()
        second = empty_machine(tmp_path / "second", first)
        # Fails when credentials were published already; all of that is undone, or the next restore
        # would not find an empty installation.
        parts = {"credentials/999999/attempt-1": unusable_store(tmp_path, second)}
        broken = rewrite(backup, tmp_path / "broken.backup", parts)
        assert exit_code(second, "restore", str(broken)) == 1
        told = second.manage("restore", str(backup))
        assert "Not readable\n  yet" in told and "taken_over" in told
        with second:
            status = second.wait_for_state(chat.organization, "connected", 30)
            assert status["number"] == chat.number
            restored = Chat(second, chat.organization, chat.number, chat.person)
            restored.wait_for_state(restored.send("after the restore"), "delivered")
            texts = [got["text"]["body"] for got in restored.received()]
            assert texts == ["before the backup", "after the backup", "after the restore"]
            restored.events()
            restored.write("Até amanhã")
            received = restored.wait_for_event("message.received")["data"]
            assert received["text"]["body"] == "Até amanhã"
            assert second.simulator.stats()["pairings"] == 0
