"""The stored files of messages, encrypted as they are, whatever the storage."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing

from django.core.files import File

from messaging import media_files
from messaging.refusals import StorageUnavailable
from whatsapp_orgs.backups.databases import Counted, Parts
from whatsapp_orgs.backups.errors import BackupError, Damaged

PREFIX = "media/"
READ_BYTES = 256 * 1024
# A file begins with the id of its key.
MAX_KEY_ID_BYTES = 32


class StoredFiles:
    """Reads the files that a snapshot of the database names."""

    def __init__(self) -> None:
        self.count = self.missing = 0
        self.key_ids: set[str] = set()

    def parts(self, names: Iterable[str], counted: Counted) -> Parts:
        """Yield each file's part. One that was deleted since the snapshot is left out.

        Raises BackupError for a storage that does not answer.
        """
        for name in names:
            if not media_files.is_name(name):
                continue
            try:
                blocks = self._blocks(name)
                first = next(blocks, b"")
            except FileNotFoundError:
                self.missing += 1
                continue
            self.count += 1
            self.key_ids.add(first[:MAX_KEY_ID_BYTES].partition(b":")[0].decode("ascii", "replace"))
            yield PREFIX + name, _joined(first, blocks)
            counted(self.count, 0, "files")

    def _blocks(self, name: str) -> Iterator[bytes]:
        try:
            with (
                media_files.translated_failures(),
                closing(media_files.storage().open(name)) as file,
            ):
                while block := file.read(READ_BYTES):
                    yield block
        except StorageUnavailable as error:
            raise BackupError("the storage of files does not answer") from error


class RestoredFiles:
    """Adds files to the storage; names are random, so one that is there is the same."""

    def __init__(self) -> None:
        self._added: list[str] = []

    def add(self, name: str, content: Iterator[bytes]) -> None:
        """Store a file of the archive, unless it is there. Raises BackupError, Damaged."""
        if not media_files.is_name(name):
            raise Damaged("this backup has a file with a name that no file has")
        storage = media_files.storage()
        try:
            with media_files.translated_failures():
                if storage.exists(name):
                    return
                self._added.append(name)
                with tempfile.SpooledTemporaryFile(media_files.CHUNK_BYTES) as spool:
                    for block in content:
                        spool.write(block)
                    spool.seek(0)
                    stored = storage.save(name, File(spool))
        except StorageUnavailable as error:
            raise BackupError("the storage of files does not answer") from error
        if stored != name:
            raise BackupError("the storage of files gives other names to files")

    @property
    def count(self) -> int:
        """How many were not there before."""
        return len(self._added)

    def undo(self) -> None:
        """Delete what was added. Raises StorageUnavailable."""
        while self._added:
            media_files.delete(self._added[-1])
            self._added.pop()


def _joined(first: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from blocks
