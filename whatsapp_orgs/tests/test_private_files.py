"""Files that only this user may read, whole or not there at all."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from whatsapp_orgs import private_files


def test_file_is_private_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "secret"
    private_files.write(path, "first")
    private_files.write(path, "second")
    assert path.read_text() == "second"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_readable_file_is_replaced_by_a_private_one(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    private_files.write(path, "new")
    assert path.stat().st_mode & 0o777 == 0o600


def test_write_once_keeps_an_existing_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    assert private_files.write_once(path, "first") == "first"
    assert private_files.write_once(path, "second") == "first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_parallel_write_once_keeps_one_text(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    with ThreadPoolExecutor(8) as pool:
        texts = set(pool.map(lambda n: private_files.write_once(path, f"{n}" * 1000), range(8)))
    assert texts == {path.read_text()}
    assert list(tmp_path.iterdir()) == [path]


def test_uncreatable_folder_raises_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        private_files.write(tmp_path / "file" / "secret", "text")
