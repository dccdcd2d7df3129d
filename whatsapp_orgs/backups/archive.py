"""The format of a backup: a tar, compressed with gzip, that is written and read as a stream.

`manifest.json` comes first and says what it is. Each part follows in blocks, so that neither side
needs its size beforehand or holds it in memory: `NAME/000000`, `NAME/000001`, …, and
`NAME/sha256` with its digest and size. `end.json` comes last, with a digest over all of that:
without it a backup is incomplete.

Nothing is ever extracted by the tar's own paths. Only names that `PART_NAMES` allows are read, and
their readers make the paths.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from whatsapp_orgs.backups.errors import Damaged

Block = bytes | bytearray | memoryview

FORMAT = 1
MANIFEST, END, DIGEST = "manifest.json", "end.json", "sha256"
BLOCK_BYTES = 4 * 1024 * 1024
# The manifest, and what is written about each part.
MAX_FACTS_BYTES = 64 * 1024 * 1024
# The content is encrypted or random for the greatest part: more effort saves little.
COMPRESSION = 1
GZIP_BITS = 31  # zlib's number for its gzip format
PART_NAMES = re.compile(
    r"database\.sqlite3"
    r"|database/[a-z0-9_]{1,63}"
    r"|credentials/[1-9][0-9]{0,17}/[a-z0-9]+(-[a-z0-9]+)*"
    r"|media/[A-Za-z0-9_-]{2}/[A-Za-z0-9_-]{2,90}"
)


class ArchiveWriter:
    """Writes a backup to a stream, which stays open; without `finish` it is no backup."""

    def __init__(self, raw: BinaryIO, manifest: dict[str, Any]) -> None:
        # Not by tarfile and gzip: when the stream fails, their files write to it once more.
        self._raw, self._gzip = raw, zlib.compressobj(COMPRESSION, wbits=GZIP_BITS)
        self._all = hashlib.sha256()
        self.parts = self.size = 0
        text = json.dumps({"format": FORMAT, **manifest}, indent=1).encode()
        self._all.update(text)
        self._add(MANIFEST, text)

    def write(self, name: str, content: Iterable[Block]) -> int:
        """Write a part. Return its size."""
        if not PART_NAMES.fullmatch(name):
            raise ValueError(f"invalid literal for the name of a part: {name!r}")
        digest, size, number = hashlib.sha256(), 0, 0
        for block in _blocks(content):
            self._add(f"{name}/{number:06}", block)
            digest.update(block)
            size, number = size + len(block), number + 1
        line = f"{digest.hexdigest()} {size}\n".encode()
        self._add(f"{name}/{DIGEST}", line)
        self._all.update(name.encode() + b" " + line)
        self.parts, self.size = self.parts + 1, self.size + size
        return size

    def finish(self, facts: dict[str, Any]) -> None:
        """Write the end, with facts that were not known at the beginning."""
        sums = {"parts": self.parts, "bytes": self.size, "sha256": self._all.hexdigest()}
        self._add(END, json.dumps({**facts, **sums}, indent=1).encode())
        self._raw.write(self._gzip.compress(bytes(2 * tarfile.BLOCKSIZE)) + self._gzip.flush())

    def _add(self, name: str, content: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), 0o600
        filling = bytes(-len(content) % tarfile.BLOCKSIZE)
        for piece in (member.tobuf(tarfile.PAX_FORMAT), content, filling):
            if packed := self._gzip.compress(piece):
                self._raw.write(packed)


class ArchiveReader:
    """Reads a backup from a stream, and checks all of it on the way.

    `manifest` is known at once, `end` when all parts were read. Raises Damaged.
    """

    def __init__(self, raw: BinaryIO) -> None:
        with _damage():
            self._gzip = gzip.GzipFile(fileobj=raw, mode="rb")
            self._tar = tarfile.open(fileobj=self._gzip, mode="r|")  # noqa: SIM115
        name, text = self._next_facts()
        if name != MANIFEST:
            raise Damaged("this is no backup: it does not begin with its manifest")
        self.manifest = _as_object(text)
        if self.manifest.get("format") != FORMAT:
            raise Damaged(
                f"this backup has format {self.manifest.get('format')!r}, and this version reads "
                f"format {FORMAT}"
            )
        self._all = hashlib.sha256(text)
        self.end: dict[str, Any] = {}

    def parts(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield the name and the content of each part, which is read to its end in any case."""
        count = size = 0
        member = self._next()
        while member is not None and member.name != END:
            name, _, last = member.name.rpartition("/")
            if not PART_NAMES.fullmatch(name) or last not in ("000000", DIGEST):
                raise Damaged("this backup has a part that no backup has")
            part = _Part(self, name, member)
            yield name, part.content()
            for _ in part.content():
                pass
            self._all.update(part.line)
            count, size = count + 1, size + part.size
            member = self._next()
        if member is None:
            raise Damaged("this backup is incomplete: its end is missing")
        self._finish(self._content(member), count, size)

    def _finish(self, text: bytes, count: int, size: int) -> None:
        end = _as_object(text)
        found = {"parts": count, "bytes": size, "sha256": self._all.hexdigest()}
        if {name: end.get(name) for name in found} != found:
            raise Damaged("this backup is damaged: its parts are not those that were written")
        with _damage():
            if self._tar.next() is not None:
                raise Damaged("this backup is damaged: something follows its end")
            # Up to the checksum of the compression.
            while self._gzip.read(BLOCK_BYTES):
                pass
        self.end = end

    def _next_facts(self) -> tuple[str, bytes]:
        member = self._next()
        return (member.name, self._content(member)) if member else ("", b"")

    def _next(self) -> tarfile.TarInfo | None:
        with _damage():
            member = self._tar.next()
        self._tar.members.clear()  # type: ignore[attr-defined]
        if member is not None and not (member.isreg() and member.size <= MAX_FACTS_BYTES):
            raise Damaged("this backup has an entry that is no plain part")
        return member

    def _content(self, member: tarfile.TarInfo) -> bytes:
        with _damage():
            file = self._tar.extractfile(member)
            content = file.read() if file else b""
        if len(content) != member.size:
            raise Damaged("this backup is incomplete")
        return content


class _Part:
    """One part that is being read: its blocks, and then the line with its digest."""

    def __init__(self, reader: ArchiveReader, name: str, first: tarfile.TarInfo) -> None:
        self._reader, self._name = reader, name
        self._member: tarfile.TarInfo | None = first
        self._digest, self._number, self.size = hashlib.sha256(), 0, 0
        self.line = b""

    def content(self) -> Iterator[bytes]:
        """Yield the blocks that were not read yet. Raises Damaged at the end."""
        while not self.line:
            member = self._member
            if member is None:
                raise Damaged(f"this backup is incomplete: {self._name} has no end")
            content = self._reader._content(member)
            if member.name == f"{self._name}/{DIGEST}":
                self._check(content)
                return
            if member.name != f"{self._name}/{self._number:06}":
                raise Damaged(f"this backup is damaged: blocks of {self._name} are missing")
            self._digest.update(content)
            self.size, self._number = self.size + len(content), self._number + 1
            self._member = self._reader._next()
            yield content

    def _check(self, line: bytes) -> None:
        if line != f"{self._digest.hexdigest()} {self.size}\n".encode():
            raise Damaged(f"this backup is damaged: {self._name} is not what was written")
        self.line = self._name.encode() + b" " + line


def _blocks(content: Iterable[Block]) -> Iterator[bytes]:
    """Yield the same content in blocks of one size, but for the last."""
    pending = bytearray()
    for piece in content:
        pending += piece
        while len(pending) >= BLOCK_BYTES:
            yield bytes(pending[:BLOCK_BYTES])
            del pending[:BLOCK_BYTES]
    if pending:
        yield bytes(pending)


def _as_object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Damaged("this backup is damaged: its manifest cannot be read") from error
    if not isinstance(found, dict):
        raise Damaged("this backup is damaged: its manifest cannot be read")
    return found


@contextmanager
def _damage() -> Iterator[None]:
    """Raise Damaged for a stream that is no tar, is cut, or has a wrong checksum."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Damaged(f"this is no backup, or it is damaged or incomplete ({error})") from error
