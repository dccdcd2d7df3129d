"""The file that keeps what WhatsApp brings, on the writer's and on the worker's side."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
from pytest_django import Settings

from connections.worker import spools
from connections.worker.child import spool as spool_module
from connections.worker.child.spool import Spool

pytestmark = pytest.mark.sqlite_only

SECONDS = 10.0


@pytest.fixture(autouse=True)
def data_dir(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


@pytest.fixture
def path() -> Path:
    return spools.new_path(7, "store-1")


def open_spool(path: Path) -> tuple[Spool, list[str]]:
    errors: list[str] = []
    return Spool(str(path), errors.append), errors


def lines(path: Path, offset: int = 0) -> list[object]:
    return [line["n"] for line in spools.read(path, offset).lines]


def test_spool_and_its_folders_are_private(path: Path, tmp_path: Path) -> None:
    spool, _ = open_spool(path)
    assert path.stat().st_mode & 0o777 == 0o600
    for folder in (tmp_path / "spool", tmp_path / "spool" / "7"):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert path.parent.name == "7" and path.name.startswith("store-1-")
    assert spools.new_path(7, "store-1") != path
    spool.close()


def test_lines_are_read_in_batches_from_an_offset(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spools, "BATCH_LINES", 2)
    spool, _ = open_spool(path)
    for number in range(5):
        assert spool.append(b'{"n":%d}' % number)
    found, end = [], 0
    while (batch := spools.read(path, end)).lines:
        found.append([line["n"] for line in batch.lines])
        end = batch.end
    assert found == [[0, 1], [2, 3], [4]]
    assert end == path.stat().st_size
    spool.close()


def test_line_longer_than_a_batch_is_read_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spools, "BATCH_BYTES", 10)
    spool, _ = open_spool(path)
    spool.append(b'{"n":1,"text":"' + b"x" * 50 + b'"}')
    spool.append(b'{"n":2}')
    first = spools.read(path, 0)
    assert [line["n"] for line in first.lines] == [1]
    assert lines(path, first.end) == [2]
    spool.close()


def test_torn_last_line_is_left_out_and_damaged_line_is_named(path: Path) -> None:
    path.write_bytes(b'{"n":1}\nnot json\n[1]\n{"n":4}\n{"n":')
    batch = spools.read(path, 0)
    assert [line.get("n", line.get("kind")) for line in batch.lines] == [1, "broken", "broken", 4]
    assert path.read_bytes()[batch.end :] == b'{"n":'
    assert spools.read(path, batch.end) == spools.Batch([], batch.end)
    assert spools.read(path.with_name("none.spool"), 3) == spools.Batch([], 3)


def test_only_spools_without_a_client_are_left_over(path: Path) -> None:
    spool, _ = open_spool(path)
    spool.append(b'{"n":1}')
    assert list(spools.leftovers()) == []
    assert not spools.remove(path)
    spool.close()
    (found,) = spools.leftovers()
    assert (found.connection_id, found.store, found.path) == (7, "store-1", path)
    assert spools.remove(path) and spools.remove(path)
    assert list(spools.leftovers()) == []


def test_spool_is_locked_against_a_second_client(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "OPEN_TRIES", 2)
    spool, _ = open_spool(path)
    with pytest.raises(BlockingIOError):
        open_spool(path)
    spool.close()


def test_spool_that_is_removed_while_it_is_opened_is_made_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker may take the file for a leftover between its creation and its lock."""
    real = os.stat
    removed: list[str] = []

    def stat(name: str, **options: bool) -> os.stat_result:
        if not removed:
            removed.append(name)
            os.unlink(name)
        return real(name, **options)

    monkeypatch.setattr(os, "stat", stat)
    spool, _ = open_spool(path)
    assert removed and spool.append(b'{"n":1}')
    assert lines(path) == [1]
    spool.close()


def test_stored_file_is_emptied_and_later_lines_stay(path: Path) -> None:
    spool, _ = open_spool(path)
    spool.append(b'{"n":1}')
    stored = spools.read(path, 0).end
    spool.append(b'{"n":2}')
    assert spool.trim(stored) == 0, "few bytes, and a line behind them"
    assert lines(path, stored) == [2]
    end = spools.read(path, 0).end
    assert spool.trim(end + 1) == 0, "beyond the end"
    assert spool.trim(end) == end
    assert path.stat().st_size == 0
    spool.append(b'{"n":3}')
    assert lines(path) == [3]
    spool.close()
    assert spool.trim(1) == 0


def test_large_stored_part_is_dropped_from_the_front(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "TRIM_BYTES", 4)
    spool, _ = open_spool(path)
    spool.append(b'{"n":1}')
    stored = spools.read(path, 0).end
    spool.append(b'{"n":2}')
    assert spool.trim(stored) == stored
    spool.append(b'{"n":3}')
    assert lines(path) == [2, 3]
    assert list(spools.leftovers()) == [], "the new file is locked, too"
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    spool.close()


def test_full_disk_is_reported_and_the_line_is_written_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of a line, which a full disk took, is cut off again."""
    spool, errors = open_spool(path)
    real, tries = os.write, iter(range(3))

    def write(descriptor: int, data: bytes) -> int:
        match next(tries):
            case 0:
                raise OSError(errno.ENOSPC, "full")
            case 1:
                return real(descriptor, data[:3])
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    assert spool.append(b'{"n":1}')
    assert errors == ["ENOSPC", "ENOSPC"]
    assert path.read_bytes() == b'{"n":1}\n'
    spool.close()


def test_full_spool_blocks_until_it_is_trimmed_or_closed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "MAX_BYTES", 20)
    full = threading.Event()
    spool = Spool(str(path), lambda error: full.set() if error == "full" else None)
    results: list[bool] = []

    def append() -> None:
        results.append(spool.append(b'{"n":2222222222}'))

    assert spool.append(b'{"n":1}')
    writer = threading.Thread(target=append)
    writer.start()
    assert full.wait(SECONDS)
    assert spool.trim(path.stat().st_size)
    writer.join(SECONDS)
    assert results == [True] and lines(path) == [2222222222]
    full.clear()
    writer = threading.Thread(target=append)
    writer.start()
    assert full.wait(SECONDS)
    spool.close()
    writer.join(SECONDS)
    assert results == [True, False]
