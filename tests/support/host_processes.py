"""Which process of a running product is which: the fork server, and the hosts. Linux only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tests.support.application import Application, until

FIND_SECONDS = 10.0


def fork_server(application: Application) -> int:
    """The process from which the host processes are forked."""
    assert application.process is not None
    parent = application.process.pid

    def look() -> list[int]:
        return [pid for pid in _forking_and_forked(application) if _parent(pid) == parent]

    found: list[int] = until(look, FIND_SECONDS, "a process that forks hosts")
    return found[0]


def host_processes(application: Application) -> set[int]:
    """Every host process: those with sessions, those with a pairing, and the spare ones."""
    assert application.process is not None
    parent = application.process.pid
    return {pid for pid in _forking_and_forked(application) if _parent(pid) not in (parent, None)}


def holders(application: Application, organization: int) -> set[int]:
    """The host processes that hold credentials of this organization open."""
    mark = f"/{credentials_folder(application).name}/{organization}/"
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


def gone(pid: int) -> bool:
    """Whether a process has ended (one that no one has waited for yet has ended, too)."""
    return state(pid) in ("", "Z", "X")


def state(pid: int) -> str:
    """The letter that /proc has for what a process is doing; "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def credentials_folder(application: Application) -> Path:
    given = application.environment.get("AUTH_SESSIONS_DIR")
    return Path(given) if given else application.data_dir / "auth_sessions"


def _forking_and_forked(application: Application) -> set[int]:
    """The fork server and the hosts; they have the same command line."""
    found = set()
    for pid in application.processes():
        with contextlib.suppress(OSError):
            if (
                b"connections.worker.child.host_process"
                in Path(f"/proc/{pid}/cmdline").read_bytes()
            ):
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
