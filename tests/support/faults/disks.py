"""Faults of the credentials' disk: damaged files, no space, read-only."""

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
    """Damage an organization's credentials (`auth_sessions/<id>`).

    Overwrites all but the first page of each database, so that its rows cannot be read, and the
    WAL, which would repair it.
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
    """Fill the credentials' disk."""
    disk.fill()
    try:
        yield
    finally:
        disk.make_room()


@fault("disk read-only")
def read_only(disk: SmallDisk) -> Iterator[None]:
    """Make the credentials' disk read-only for files that are opened meanwhile."""
    disk.read_only()
    try:
        yield
    finally:
        disk.writable()


@functools.cache
def can_mount() -> bool:
    """Return whether `SmallDisk` works here; see `CANNOT_MOUNT`."""
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

    It is in a separate mount namespace, which a process keeps, so it survives restarts of the
    product and does not affect the machine.
    """

    def __init__(self, folder: Path, megabytes: int = 16) -> None:
        self.folder = folder
        self._megabytes = megabytes
        self._holder: subprocess.Popen[bytes] | None = None
        self._read_only = False

    @property
    def prefix(self) -> tuple[str, ...]:
        """The prefix of a command that uses the disk. The command keeps its pid."""
        enter = 'cd "$0" && exec "$@"'
        return (*self._nsenter, "sh", "-c", enter, str(ROOT))

    def outside_path(self, path: Path) -> Path:
        """Return a path to a file on the disk from outside of the namespace."""
        assert self._holder is not None
        return Path(f"/proc/{self._holder.pid}/root") / path.relative_to("/")

    def fill(self, leave: int = 0) -> None:
        """Fill the disk except for `leave` bytes."""
        # Page by page: a larger write that does not fit would leave space.
        with self._filler.open("ab", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(4096))
        with self._filler.open("r+b") as filler:
            size = filler.seek(0, os.SEEK_END)
            filler.truncate(max(0, size - leave))

    def make_room(self) -> None:
        """Undo `fill`."""
        self._filler.unlink(missing_ok=True)

    def read_only(self) -> None:
        """Make the disk read-only. Open files stay writable, as Linux requires."""
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
        assert self._holder is not None, "use it as a context manager"
        return ("nsenter", f"--target={self._holder.pid}", "--mount", "--")

    @property
    def _filler(self) -> Path:
        return self.outside_path(self.folder / ".ballast")

    def _mount(self, *arguments: str) -> None:
        self._inside("mount", *arguments)

    def _inside(self, *command: str) -> None:
        subprocess.run([*self._nsenter, *command], check=True, capture_output=True, timeout=10)

    def __enter__(self) -> Self:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        options = f"size={self._megabytes}m,mode=0700"
        script = f'mount -t tmpfs -o {options} none "$0" && echo mounted && exec cat'
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script, str(self.folder)],
            stdin=subprocess.PIPE,  # The keeper ends with us.
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"mounted\n", CANNOT_MOUNT
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._holder is not None
        self._holder.communicate()
