"""Writes a backup while the service runs.

The order is the database, the credentials, the files:

- **The credentials are never older than the database.** A row says "being sent" and the library's
  table says whether it left; with older credentials it would look as if it had not, and be sent
  twice. With newer ones the worst is a message that is named as lost. Where both are in one
  PostgreSQL, they are of the same moment.
- **The files are those that the database's rows name.** They never change, and one that was deleted
  since was to be deleted.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.conf import settings

from connections.stores import StoresNotIsolated, StoreUnavailable
from organizations.encryption import key_checks
from whatsapp_orgs import __version__
from whatsapp_orgs.backups import credentials, keys, places, postgres_database, sqlite_database
from whatsapp_orgs.backups.archive import ArchiveWriter
from whatsapp_orgs.backups.databases import Counted, Snapshot
from whatsapp_orgs.backups.errors import BackupError
from whatsapp_orgs.backups.media import StoredFiles
from whatsapp_orgs.backups.progress import Progress

# A temporary folder that was changed so long ago belongs to no process any more.
LEFT_SECONDS = 24 * 3600.0
# What is before the colon, in SQL.
KEY_ID = {"sqlite": "substr({0}, 1, instr({0}, ':') - 1)", "postgresql": "split_part({0}, ':', 1)"}


@dataclass
class Written:
    """A backup that was written."""

    place: str
    counts: dict[str, int]
    size: int
    warnings: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def create(place: str, progress: Progress, keep: int = 0) -> Written:
    """Write a backup. Raises BackupError.

    `keep`: so many backups stay in its folder, 0 for all of them.
    """
    now = datetime.now(UTC)
    place = places.with_name(place, now)
    try:
        with temporary_folder(".backup") as folder:
            written = _write(place, folder, now, progress)
    except (StoreUnavailable, StoresNotIsolated) as error:
        raise BackupError(f"the credentials: {error}") from error
    if keep:
        written.removed = places.remove_old(place, keep)
    return written


def _write(place: str, folder: Path, now: datetime, progress: Progress) -> Written:
    progress.step("database")
    with _snapshot(folder, progress.count) as snapshot, places.writing(place) as stream:
        manifest = _manifest(snapshot, now)
        result = Written(place, snapshot.counts(), 0)
        archive = ArchiveWriter(stream, manifest)
        for name, content in snapshot.parts(progress.count):
            archive.write(name, content)
        progress.step("credentials")
        _write_credentials(archive, snapshot, folder, result, progress.count)
        names = _write_names(snapshot, folder)
        # The files may take hours, in which nothing may hold up a migration.
        snapshot.close()
        progress.step("files")
        files = StoredFiles()
        with names.open() as lines:
            for name, content in files.parts(map(str.strip, lines), progress.count):
                archive.write(name, content)
        result.counts["files"] = files.count
        if files.missing:
            result.warnings.append(f"{files.missing} files of messages are not in the storage")
        progress.end()
        facts = {"counts": result.counts, "file_keys": sorted(files.key_ids)}
        archive.finish({**facts, "warnings": result.warnings})
        result.size = archive.size
    return result


def _write_names(snapshot: Snapshot, folder: Path) -> Path:
    """Write the names of the stored files into a file, a line for each: they may be millions."""
    path = folder / "names"
    with path.open("w") as file:
        file.writelines(f"{name}\n" for name in snapshot.files())
    return path


def _manifest(snapshot: Snapshot, now: datetime) -> dict[str, Any]:
    facts = snapshot.facts()
    used = keys.used_keys(snapshot.columns(), snapshot.column, KEY_ID[facts["kind"]])
    return {
        "product": __version__,
        "neonize": version("neonize"),
        "made_at": now.isoformat(timespec="seconds"),
        "database": facts,
        "migrations": snapshot.migrations(),
        "credentials": settings.AUTH_SESSIONS,
        "key_checks": key_checks(),
        "used_keys": used,
    }


def _write_credentials(
    archive: ArchiveWriter, snapshot: Snapshot, folder: Path, result: Written, counted: Counted
) -> None:
    """Write all stores, and compare them with those that the database names."""
    named, written = snapshot.stores(), 0
    moment = getattr(snapshot, "name", "") if _in_one_database() else ""
    for number, store, path in credentials.copied_stores(
        folder, moment, counted, result.warnings.append
    ):
        archive.write(f"credentials/{number}/{store}", sqlite_database.read_file(path))
        written += 1
        if named.get(number) == store:
            del named[number]
    result.counts["stores"] = written
    result.warnings.extend(
        f"organization {number}: its credentials are not in this backup (it was linked anew or "
        "disconnected meanwhile, or they are lost), so it needs a scan after a restore"
        for number in sorted(named)
    )


def _in_one_database() -> bool:
    return (
        settings.AUTH_SESSIONS == "database" and settings.AUTH_SESSIONS_URL == settings.DATABASE_URL
    )


def _snapshot(folder: Path, counted: Counted) -> AbstractContextManager[Snapshot]:
    if settings.DATABASES["default"]["ENGINE"].endswith("postgresql"):
        return postgres_database.postgres_snapshot()
    path = Path(settings.DATABASES["default"]["NAME"])
    if not path.is_file():
        raise BackupError(f"there is no database {path}: is DATA_DIR right?")
    return sqlite_database.sqlite_snapshot(path, folder, counted)


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """Make a private folder in DATA_DIR, and remove it at the end."""
    root = Path(settings.DATA_DIR)
    for left in root.glob(f"{name}-*"):  # by a kill
        if time.time() - left.stat().st_mtime > LEFT_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    folder = root / f"{name}-{secrets.token_hex(4)}"
    try:
        folder.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise BackupError(f"DATA_DIR cannot be written: {error}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
