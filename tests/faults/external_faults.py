"""Harming a running product from outside, as machines, disks and operators do it.

Everything here touches only the processes and the files of one `Application`, and what it takes
away it gives back. Linux only.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.application import ROOT, Application, until

FIND_SECONDS = 10.0
DATABASE = "db.sqlite3"
CREDENTIALS = "whatsmeow.sqlite3"
# What is harmed here are files: none holds anything where PostgreSQL does (tests/scale harms that).
IN_FILES = not os.environ.get("DATABASE_URL")
NOT_IN_FILES = "the database and the credentials are on PostgreSQL"

# --- Processes ----------------------------------------------------------------------------------


def fork_server(application: Application) -> int:
    """The process from which the host processes are forked."""
    assert application.process is not None
    parent = application.process.pid

    def look() -> list[int]:
        return [pid for pid in _workers(application) if _parent(pid) == parent]

    found: list[int] = until(look, FIND_SECONDS, "a process that forks hosts")
    return found[0]


def host_processes(application: Application) -> set[int]:
    """Every host process: those with sessions, those with a pairing, and the spare ones."""
    assert application.process is not None
    parent = application.process.pid
    return {pid for pid in _workers(application) if _parent(pid) not in (parent, None)}


def holders(application: Application, organization: int) -> set[int]:
    """The host processes that hold credentials of this organization open."""
    mark = f"/{_credentials_folder(application).name}/{organization}/"
    return {
        pid
        for pid in host_processes(application)
        if any(mark in path and not path.endswith(" (deleted)") for path in _open_files(pid))
    }


def host_of(application: Application, organization: int) -> int:
    """The one host process that holds this organization's credentials open.

    While a new link moves from its pairing's process to a session host there are two, so this
    waits. It never settles where a host has kept a file open that it does not use any more, which
    the Go library does: that can be after the organization has moved between living hosts.
    """

    def look() -> set[int] | None:
        found = holders(application, organization)
        return found if len(found) == 1 else None

    (pid,) = until(look, FIND_SECONDS, f"one host process that holds organization {organization}")
    return int(pid)


def kill(pid: int) -> None:
    """SIGKILL, as an operator or the kernel's OOM killer sends it. Tolerates that it is gone."""
    _signal(pid, signal.SIGKILL)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """SIGSTOP, and SIGCONT at the end. Tolerates that the process is gone, before or meanwhile."""
    _signal(pid, signal.SIGSTOP)
    try:
        # On a busy machine a signal has not been heeded when the call returns.
        until(lambda: _state(pid) in ("T", "Z", ""), 10, f"process {pid} to stand still")
        yield
    finally:
        _signal(pid, signal.SIGCONT)


def _state(pid: int) -> str:
    """The letter that /proc has for what a process is doing; "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def out_of_memory(
    pid: int, use: Callable[[], object] = lambda: None, seconds: float = 10.0
) -> bool:
    """No more memory for this process. Returns whether it died of that by itself.

    The Go library ends its process when it gets no memory, but it is thrifty: an idle host asks
    for none, and one whose connections `use` drops, every second, asks now or (seldom) 20 s later.
    What still lives after `seconds` gets SIGKILL, which is what the kernel's OOM killer sends.
    """
    with contextlib.suppress(ProcessLookupError):
        # Nothing but 0 will do: what it has would leave it the room of all that it gives back.
        resource.prlimit(pid, resource.RLIMIT_AS, (0, 0))
        resource.prlimit(pid, resource.RLIMIT_DATA, (0, 0))
    deadline = time.monotonic() + seconds
    while not gone(pid) and time.monotonic() < deadline:
        use()
        with contextlib.suppress(AssertionError):
            until(lambda: gone(pid), 1, "its end")
    died = gone(pid)
    kill(pid)
    return died


def gone(pid: int) -> bool:
    """Whether a process has ended (one that no one has waited for yet has ended, too)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


def _workers(application: Application) -> set[int]:
    """The fork server and the hosts; they have the same command line."""
    found = set()
    for pid in application.processes():
        with contextlib.suppress(OSError):
            if b"connections.worker.host_process" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


def _parent(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[1])


def _open_files(pid: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                yield os.readlink(descriptor)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


# --- The database -------------------------------------------------------------------------------


@contextmanager
def database_locked(application: Application) -> Iterator[None]:
    """No one else can write the database; reading goes on (it is in WAL mode)."""
    path = application.data_dir / DATABASE
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            database.execute("ROLLBACK")


@contextmanager
def database_away(application: Application) -> Iterator[None]:
    """No one else can read or write the database; not a byte of it changes.

    It holds the locks of the WAL's index that every reader must share. SQLite waits some 10 s for
    them, then raises "locking protocol": so it is shorter than that, a stall, or longer, an error.
    A process of its own does it, since closing a file drops all locks that a process has on it.
    """
    path = application.data_dir / DATABASE
    holder = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.external_faults", str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin is not None and holder.stdout is not None
    with holder, holder.stdin, holder.stdout:
        assert holder.stdout.readline() == b"held\n", "the database could not be locked"
        yield


def _hold_readers_out(path: str) -> None:
    """In the process of `database_away`: until stdin ends."""
    write_to_last_reader = range(120, 128)  # https://sqlite.org/walformat.html, section 2.3
    # Our own connection keeps the index in place, should everyone else leave.
    with closing(sqlite3.connect(path, timeout=60)) as database:
        database.execute("SELECT 1 FROM sqlite_master").fetchall()
        with open(f"{path}-shm", "r+b") as index:
            for byte in write_to_last_reader:
                fcntl.lockf(index, fcntl.LOCK_EX, 1, byte)
            print("held", flush=True)
            sys.stdin.read()
            # Unlocked by the end of the process: closing in order would need a lock, too.
            os._exit(0)


# --- The credentials ----------------------------------------------------------------------------


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


def _credentials_folder(application: Application) -> Path:
    given = application.environment.get("AUTH_SESSIONS_DIR")
    return Path(given) if given else application.data_dir / "auth_sessions"


# --- The disk -----------------------------------------------------------------------------------

CANNOT_MOUNT = "needs root and the right to mount (CAP_SYS_ADMIN)"


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


if __name__ == "__main__":
    _hold_readers_out(sys.argv[1])
