"""Puts a backup in the place of what this installation has, while nothing runs.

The archive is read twice: all of it is checked before anything is changed. Then everything is
prepared beside what is there, and published in the order files, credentials, database; the last
step is one rename or one commit. A failure undoes what was published before it.
"""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from connections import file_lock
from connections.stores import StoresNotIsolated, StoreUnavailable
from messaging.actions.restored import HOLD_WAITING
from messaging.refusals import StorageUnavailable
from whatsapp_orgs.backups import fitting, places
from whatsapp_orgs.backups.archive import ArchiveReader
from whatsapp_orgs.backups.create import temporary_folder
from whatsapp_orgs.backups.databases import Target
from whatsapp_orgs.backups.errors import BackupError, NotUndone
from whatsapp_orgs.backups.media import PREFIX as MEDIA
from whatsapp_orgs.backups.media import RestoredFiles
from whatsapp_orgs.backups.postgres_database import PostgresTarget
from whatsapp_orgs.backups.progress import Progress
from whatsapp_orgs.backups.restored_credentials import RestoredCredentials, restored_credentials
from whatsapp_orgs.backups.sqlite_database import SqliteTarget

CREDENTIALS = "credentials/"


@dataclass
class Restored:
    """A backup that was restored."""

    made_at: str
    counts: dict[str, int]
    held_messages: int
    needs_migrate: bool
    warnings: list[str] = field(default_factory=list)


def restore(place: str, replace: bool, progress: Progress) -> Restored:
    """Restore a backup. Raises BackupError, and NotUndone where something stays changed.

    `replace`: also where there is something already, which is lost then.
    """
    try:
        with _alone(), temporary_folder(".restore") as folder:
            progress.step("reading the backup")
            path = places.local_copy(place, folder)
            manifest, end = check(path, progress)
            restorer = _Restorer(path, folder, manifest, progress)
            restorer.refuse_content(replace)
            result = restorer.run()
            result.counts = end.get("counts", {})
            result.warnings[:0] = end.get("warnings", [])
            return result
    except (StoreUnavailable, StoresNotIsolated) as error:
        raise BackupError(f"the credentials: {error}") from error
    except sqlite3.Error as error:
        raise BackupError(f"SQLite: {error}") from error
    except OSError as error:
        raise BackupError(f"{error.filename or 'a file'}: {error.strerror or error}") from error


def check(path: Path, progress: Progress) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read all of a backup; return its manifest and its end. Raises BackupError.

    It fits this installation, and is whole.
    """
    with path.open("rb") as file:
        reader = ArchiveReader(file)
        fitting.check_manifest(reader.manifest)
        _refuse(fitting.misfits(reader.manifest))
        for number, (_, content) in enumerate(reader.parts(), start=1):
            for _ in content:
                pass
            progress.count(number, 0, "parts")
    _refuse(fitting.misfits_of_keys(reader.manifest, reader.end))
    return reader.manifest, reader.end


def _refuse(misfits: Iterator[str]) -> None:
    if found := list(misfits):
        raise BackupError("this backup does not fit: " + "; ".join(found))


@contextmanager
def _alone() -> Iterator[None]:
    """Keep a worker on this data folder from starting. Raises BackupError where one runs."""
    try:
        lock = file_lock.exclusive(Path(settings.DATA_DIR) / "worker.lock")
    except file_lock.Locked:
        raise BackupError("the service is running: stop it first") from None
    with lock:
        yield


@contextmanager
def _signals_ignored() -> Iterator[None]:
    """Let no signal end the last step, of which nobody could tell then whether it was done."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Restorer:
    """One restore of a backup that was checked."""

    def __init__(
        self, path: Path, folder: Path, manifest: dict[str, Any], progress: Progress
    ) -> None:
        self._path, self._manifest, self._progress = path, manifest, progress
        self._database: Target = (
            PostgresTarget()
            if settings.DATABASE_URL
            else SqliteTarget(Path(settings.DATABASES["default"]["NAME"]))
        )
        self._credentials: RestoredCredentials = restored_credentials(folder)
        self._files = RestoredFiles()

    def refuse_content(self, replace: bool) -> None:
        """Raise BackupError for an installation in use, or one with something to lose."""
        found = self._database.content() + self._credentials.content()
        self._credentials.close()
        if found and not replace:
            raise BackupError(
                f"this installation is not empty: it has {', '.join(found)}. With --replace all of "
                "that is lost"
            )

    def run(self) -> Restored:
        """Prepare everything beside what is there, and publish it."""
        try:
            with self._database.restoring(self._manifest):
                held = self._replace()
        finally:
            self._credentials.remove_staged()
            self._credentials.close()
        warnings = []
        try:
            self._credentials.remove_replaced()
        except (OSError, StoreUnavailable) as error:
            warnings.append(f"the replaced credentials could not be removed: {error}")
        return Restored(self._manifest["made_at"], {}, held, self._needs_migrate(), warnings)

    def _replace(self) -> int:
        """Publish files, credentials and database; undo it all if one of them fails.

        Return how many messages are held.
        """
        undo = [("the files of the backup", self._files.undo)]
        try:
            held = self._take_parts()
            undo.append(("the credentials", self._credentials.undo))
            self._progress.step("credentials")
            self._credentials.publish(self._progress.count)
            with _signals_ignored():
                self._database.publish()
        except BaseException as error:
            self._undo(undo, error)
            raise
        self._progress.end()
        return held

    def _take_parts(self) -> int:
        """Stage the database and the credentials, and add the files, which nobody names yet."""
        self._progress.step("database and files")
        with self._path.open("rb") as file:
            for number, (name, content) in enumerate(ArchiveReader(file).parts(), start=1):
                if name.startswith(CREDENTIALS):
                    _, organization_id, store = name.split("/")
                    self._credentials.stage(int(organization_id), store, content)
                elif name.startswith(MEDIA):
                    self._files.add(name.removeprefix(MEDIA), content)
                else:
                    self._database.fill(name, content)
                self._progress.count(number, 0, "parts")
        return [self._database.execute(statement) for statement in HOLD_WAITING][-1]

    def _undo(self, steps: list[tuple[str, Any]], error: BaseException) -> None:
        """Undo steps, the last one first. Raises NotUndone for those that cannot be."""
        failed = []
        for what, undo in reversed(steps):
            try:
                undo()
            except (OSError, StoreUnavailable, StorageUnavailable, BackupError) as problem:
                failed.append(f"{what} ({problem})")
        if failed:
            raise NotUndone(
                f"the restore failed ({error}), and this could not be undone: {', '.join(failed)}. "
                "The database is as it was"
            ) from error

    def _needs_migrate(self) -> bool:
        from django.db.migrations.loader import MigrationLoader

        known = set(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)
        return bool(known - {(app, name) for app, name in self._manifest["migrations"]})
