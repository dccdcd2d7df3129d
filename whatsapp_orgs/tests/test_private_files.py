"""Files that only this user may read, whole or not there at all."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from whatsapp_orgs import private_files


def test_a_file_is_for_this_user_only(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "secret"
    private_files.write(path, "first")
    private_files.write(path, "second")
    assert path.read_text() == "second"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_file_others_could_read_is_replaced_by_one_they_cannot(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    private_files.write(path, "new")
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_written_once_stays(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    assert private_files.write_once(path, "first") == "first"
    assert private_files.write_once(path, "second") == "first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_of_many_at_once_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    with ThreadPoolExecutor(8) as pool:
        told = set(pool.map(lambda n: private_files.write_once(path, f"{n}" * 1000), range(8)))
    assert told == {path.read_text()}
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        private_files.write(tmp_path / "file" / "secret", "text")
