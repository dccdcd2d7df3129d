"""The lock that allows one worker on a data folder."""

import multiprocessing
from pathlib import Path

import pytest

from connections import file_lock


def test_second_lock_is_refused_until_the_first_is_released(tmp_path: Path) -> None:
    path = tmp_path / "data" / "worker.lock"
    held = pytest.raises(file_lock.Locked, match=r"worker\.lock is held by another process")
    with file_lock.exclusive(path), held:
        file_lock.exclusive(path)
    file_lock.exclusive(path).close()
    assert path.parent.stat().st_mode & 0o777 == 0o700


def hold_and_end(path: Path) -> None:
    file_lock.exclusive(path)


def test_end_of_a_process_releases_its_lock(tmp_path: Path) -> None:
    path = tmp_path / "worker.lock"
    process = multiprocessing.get_context("spawn").Process(target=hold_and_end, args=(path,))
    process.start()
    process.join(30)
    assert process.exitcode == 0
    file_lock.exclusive(path).close()
