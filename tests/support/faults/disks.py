"""Faults of the disk under the credentials: damaged files, no room, no way to write."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.application import ROOT
from tests.support.faults import fault

CREDENTIALS = "whatsmeow.sqlite3"
CANNOT_MOUNT = "needs root and the right to mount (CAP_SYS_ADMIN)"


def corrupt(folder: Path) -> None:
    """Spoil an organization's credentials (`auth_sessions/<id>`) on the disk.

    All but the first page of each credentials database is overwritten, so that it is still a
    database, and one whose rows cannot be read. Its log goes the same way: it would heal it.
    """
    found = sorted(folder.glob(f"*/{CREDENTIALS}"))
    assert found, f"no credentials in {folder}"
    for path in found:
        _overwrite(path, 4096)
        log = path.with_name(f"{path.name}-wal")
        if log.exists():
            _overwrite(log, 0)


def _overwrite(path: Path, start: int) -> None:
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(start)
        file.write(b"\xa5" * max(0, size - start))


@fault("disk full")
def full(disk: SmallDisk) -> Iterator[None]:
    """No room on the credentials' disk."""
    disk.fill()
    try:
        yield
    finally:
        disk.make_room()


@fault("disk read-only")
def read_only(disk: SmallDisk) -> Iterator[None]:
    """What is opened meanwhile on the credentials' disk cannot be written."""
    disk.read_only()
    try:
        yield
    finally:
        disk.writable()


@functools.cache
def can_mount() -> bool:
    """Whether `SmallDisk` works here; where not, `CANNOT_MOUNT` says why."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", folder]
        try:
            return subprocess.run(command, capture_output=True, timeout=10).returncode == 0
        except OSError:
            return False


class SmallDisk:
    """A disk of a few megabytes at `folder`, that only programs started with `prefix` see.

        with SmallDisk(data / "auth_sessions") as disk, Application(data, prefix=disk.prefix):
            disk.fill()

    It lives in a mount namespace of its own, which a process keeps until the end, so it outlives
    restarts of the product, and nothing on the machine is touched.
    """

    def __init__(self, folder: Path, megabytes: int = 16) -> None:
        self.folder = folder
        self._megabytes = megabytes
        self._keeper: subprocess.Popen[bytes] | None = None
        self._read_only = False

    @property
    def prefix(self) -> tuple[str, ...]:
        """What goes before a command that is to see the disk; it keeps the command's pid."""
        enter = 'cd "$0" && exec "$@"'
        return (*self._nsenter, "sh", "-c", enter, str(ROOT))

    def seen(self, path: Path) -> Path:
        """A path under which a file in there can be reached from out here."""
        assert self._keeper is not None
        return Path(f"/proc/{self._keeper.pid}/root") / path.relative_to("/")

    def fill(self, leave: int = 0) -> None:
        """Use up its room, but for some bytes."""
        # One page at a time: a write that does not fit as a whole would leave some room.
        with self._ballast.open("ab", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(4096))
        with self._ballast.open("r+b") as ballast:
            size = ballast.seek(0, os.SEEK_END)
            ballast.truncate(max(0, size - leave))

    def make_room(self) -> None:
        """Give back what `fill` has used up."""
        self._ballast.unlink(missing_ok=True)

    def read_only(self) -> None:
        """What is opened from now on cannot be written; what is open stays so, as Linux wants."""
        self._mount("--bind", str(self.folder), str(self.folder))
        self._mount("-o", "remount,bind,ro", str(self.folder))
        self._read_only = True

    def writable(self) -> None:
        """Undo `read_only`."""
        if self._read_only:
            self._inside("umount", "--lazy", str(self.folder))
            self._read_only = False

    @property
    def _nsenter(self) -> tuple[str, ...]:
        assert self._keeper is not None, "use it as a context manager"
        return ("nsenter", f"--target={self._keeper.pid}", "--mount", "--")

    @property
    def _ballast(self) -> Path:
        return self.seen(self.folder / ".ballast")

    def _mount(self, *arguments: str) -> None:
        self._inside("mount", *arguments)

    def _inside(self, *command: str) -> None:
        subprocess.run([*self._nsenter, *command], check=True, capture_output=True, timeout=10)

    def __enter__(self) -> Self:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        options = f"size={self._megabytes}m,mode=0700"
        script = f'mount -t tmpfs -o {options} none "$0" && echo mounted && exec cat'
        self._keeper = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script, str(self.folder)],
            stdin=subprocess.PIPE,  # The keeper ends with us.
            stdout=subprocess.PIPE,
        )
        assert self._keeper.stdout is not None
        assert self._keeper.stdout.readline() == b"mounted\n", CANNOT_MOUNT
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._keeper is not None
        self._keeper.communicate()
