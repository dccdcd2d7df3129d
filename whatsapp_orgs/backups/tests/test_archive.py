"""The format: written and read as a stream, and anything but what was written is refused."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable

import pytest

from whatsapp_orgs.backups import archive
from whatsapp_orgs.backups.archive import ArchiveReader, ArchiveWriter
from whatsapp_orgs.backups.errors import Damaged

PARTS = {
    "database.sqlite3": b"0123456789" * 7,
    "credentials/7/attempt-1": b"",
    "media/ab/abcdefghijklmnopqrstuv": b"x",
}


def write(parts: dict[str, bytes] = PARTS) -> bytes:
    raw = io.BytesIO()
    writer = ArchiveWriter(raw, {"product": "1"})
    for name, content in parts.items():
        writer.write(name, [content[:3], memoryview(content)[3:]])
    writer.finish({"counts": {}})
    return raw.getvalue()


def read(raw: bytes) -> dict[str, bytes]:
    reader = ArchiveReader(io.BytesIO(raw))
    found = {name: b"".join(content) for name, content in reader.parts()}
    assert reader.end["parts"] == len(found)
    return found


def test_parts_come_back_from_blocks_of_any_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "BLOCK_BYTES", 32)
    written = write()
    assert read(written) == PARTS
    reader = ArchiveReader(io.BytesIO(written))
    assert [name for name, _ in reader.parts()] == list(PARTS)  # Content that nobody reads.
    assert reader.manifest == {"format": 1, "product": "1"}


def test_archive_that_was_changed_or_cut_anywhere_is_damaged() -> None:
    content = {"database.sqlite3": bytes(range(256)) * 2}
    written, unchanged = write(content), 0
    for place in range(10, len(written), 7):
        with pytest.raises(Damaged):
            read(written[:place])
        changed = bytearray(written)
        changed[place] ^= 1
        try:
            assert read(bytes(changed)) == content
        except Damaged:
            continue
        unchanged += 1  # A bit of the compression that nothing depends on.
    assert unchanged < 5


def packed(members: Iterable[tarfile.TarInfo], manifest: bytes = b'{"format": 1}') -> bytes:
    """Return an archive with any members after a manifest."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        first = tarfile.TarInfo("manifest.json")
        first.size = len(manifest)
        tar.addfile(first, io.BytesIO(manifest))
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return raw.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        *("../db.sqlite3/000000", "/etc/passwd", "database/../x/000000", "secret_key/000000"),
        *("media/../../x/000000", "media/ab/../x/000000", "credentials/7/../x/000000"),
        *("credentials/../attempt-1/000000", "credentials/7/a/b/000000", "database.sqlite3/../x"),
    ],
)
def test_path_that_no_part_has_is_refused(name: str) -> None:
    with pytest.raises(Damaged, match="a part that no backup has"):
        read(packed([tarfile.TarInfo(name)]))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
def test_link_or_folder_is_refused(kind: bytes) -> None:
    member = tarfile.TarInfo("database.sqlite3/000000")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(Damaged, match="no plain part"):
        read(packed([member]))


def test_other_files_and_formats_are_refused() -> None:
    for raw in (b"", b"no archive", gzip.compress(b"no tar")):
        with pytest.raises(Damaged):
            read(raw)
    with pytest.raises(Damaged, match="format 2"):
        read(packed([], b'{"format": 2}'))
    with pytest.raises(Damaged, match="its end is missing"):
        read(packed([]))
    with pytest.raises(Damaged, match="the manifest|its manifest"):
        read(packed([], b"[]"))
