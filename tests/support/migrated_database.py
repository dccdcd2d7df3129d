"""An empty database with all tables, which products under test start with.

The migrations take half of the CPU time of a first start. They run once for a state of the
checkout; `tests/lifecycle` and the commands of README.md still start from nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.support.services import postgres_program
from whatsapp_orgs.tests.support import isolation

FOLDER = isolation.ROOT / ".cache" / "migrated"
MIGRATE_SECONDS = 120.0


@cache
def state() -> str:
    """Return a digest of all that the tables depend on: migrations, settings and packages."""
    root = isolation.ROOT
    files = [*root.glob("*/migrations/*.py"), *root.glob("requirements*.txt")]
    files.append(root / "whatsapp_orgs" / "settings.py")
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def sqlite_file() -> Path:
    """Return the file of a migrated SQLite database, for copies. It is made if it is missing."""
    path = FOLDER / f"{state()}.sqlite3"
    with _locked("sqlite"):
        if not path.exists():
            with tempfile.TemporaryDirectory() as folder:
                _migrate(Path(folder), "")
                _store(path, (Path(folder) / "db.sqlite3").read_bytes())
    return path


def copy_sqlite(data_dir: Path) -> None:
    """Give a data folder its database, unless it has one."""
    own = data_dir / "db.sqlite3"
    if not own.exists():
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(sqlite_file(), own)
        own.chmod(0o600)


def fill_postgres(url: str) -> None:
    """Create all tables in an empty PostgreSQL database, by a dump of an earlier one."""
    dump = FOLDER / f"{state()}.sql"
    with _locked("dump"):
        if not dump.exists():
            with tempfile.TemporaryDirectory() as folder:
                _migrate(Path(folder), url)
            _store(dump, _run("pg_dump", "--no-owner", "--dbname", url))
            return
    _run("psql", "-qX", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-f", str(dump), url)


def postgres_template(url_of: Callable[[str], str], create: Callable[[str], bool]) -> str:
    """Return the name of a migrated database on a server, for `CREATE DATABASE … TEMPLATE`.

    `url_of`: the URL of a database by its name. `create`: creates one, False if it was there.
    """
    name = f"migrated_{state()}"
    with _locked("postgres"):
        if create(name):
            fill_postgres(url_of(name))
    return name


def _store(path: Path, content: bytes) -> None:
    """Write a file that is whole wherever it is."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.rename(path)


def _run(program: str, *arguments: str) -> bytes:
    """Run a program of PostgreSQL. Returns what it printed."""
    command = [postgres_program(program), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=60).stdout


def _migrate(data_dir: Path, database_url: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"],
        cwd=isolation.ROOT,
        env={**isolation.environment(data_dir), "DATABASE_URL": database_url},
        check=True,
        timeout=MIGRATE_SECONDS,
    )


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """Let one process at a time make a database."""
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
