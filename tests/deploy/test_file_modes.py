"""What the commands write is for this user only, whatever the umask of the shell was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from tests.support.application import Application


def readable_by_others(folder: Path) -> list[str]:
    """The files and folders in here, itself included, that others than the owner may use."""
    found: Iterator[Path] = folder.rglob("*")
    return [str(path) for path in (folder, *found) if path.lstat().st_mode & 0o077]


def manage(data: Path, *arguments: str, **environment: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env={"DATA_DIR": str(data), "ENV_FILE": "", **environment},
        umask=0o022,
        check=True,
        capture_output=True,
        timeout=120,
    )


def test_database_and_secret_key_are_private(tmp_path: Path) -> None:
    data = tmp_path / "data"
    manage(data, "migrate", "-v0")
    names = {path.name for path in data.iterdir()}
    assert {"db.sqlite3", "secret_key"} <= names
    assert readable_by_others(data) == []


def test_collected_static_files_can_be_read_by_a_web_server(tmp_path: Path) -> None:
    static = tmp_path / "static"
    manage(tmp_path / "data", "collectstatic", "--no-input", "-v0", STATIC_ROOT=str(static))
    modes = {path.is_dir(): path.stat().st_mode & 0o777 for path in static.rglob("*")}
    assert modes == {True: 0o755, False: 0o644}
    assert readable_by_others(tmp_path / "data") == []


def test_everything_of_a_running_service_is_private(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Application(data, prefix=("sh", "-c", 'umask 000; exec "$0" "$@"')) as product:
        organization = product.organization()
        assert product.api("POST", organization, "reconnect").status == 200
        names = {path.name for path in data.rglob("*")}
        assert {"run.json", "login.json", "simulator.log", "worker.alive"} <= names
        assert (data / "auth_sessions" / str(organization)).is_dir()
        # The log is a file of the test's own.
        assert set(readable_by_others(data)) <= {str(product.log)}
