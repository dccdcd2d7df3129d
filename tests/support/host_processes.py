"""Find the fork server and the host processes of a running product. Linux only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from tests.support.application import Application, until

FIND_SECONDS = 10.0


class Running(Protocol):
    """A running product, or one of its workers."""

    def processes(self) -> set[int]:
        """Return the pids of all its processes."""


def fork_server(application: Running) -> int:
    """Return the pid of the fork server."""

    def look() -> list[int]:
        workers = application.processes() - (forked := _forking_and_forked(application))
        return [pid for pid in forked if _parent(pid) in workers]

    found: list[int] = until(look, FIND_SECONDS, "a process that forks hosts")
    return found[0]


def worker(application: Running) -> int:
    """Return the pid of the worker, which the web server has started."""
    parent = _parent(fork_server(application))
    assert parent is not None
    return parent


def host_processes(application: Running) -> set[int]:
    """Return the pids of all host processes: sessions, pairings and idle ones."""
    forked = _forking_and_forked(application)
    not_hosts = application.processes() - forked | {None}
    return {pid for pid in forked if _parent(pid) not in not_hosts}


def hosts_with_credentials(application: Application, organization: int) -> set[int]:
    """Return the hosts that have credentials of the organization open."""
    mark = f"/{credentials_folder(application).name}/{organization}/"
    return {
        pid
        for pid in host_processes(application)
        if any(mark in path and not path.endswith(" (deleted)") for path in _open_files(pid))
    }


def host_of(application: Application, organization: int) -> int:
    """Return the only host that has the organization's credentials open.

    Waits while a new link moves from its pairing host to a session host. Fails if the Go library of
    an earlier host has kept a file open, which happens after moves between living hosts.
    """

    def look() -> set[int] | None:
        found = hosts_with_credentials(application, organization)
        return found if len(found) == 1 else None

    (pid,) = until(look, FIND_SECONDS, f"one host process that holds organization {organization}")
    return int(pid)


def gone(pid: int) -> bool:
    """Return whether a process has ended or is a zombie."""
    return state(pid) in ("", "Z", "X")


def state(pid: int) -> str:
    """Return the state letter of a process in /proc; "" if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def credentials_folder(application: Application) -> Path:
    given = application.environment.get("AUTH_SESSIONS_DIR")
    return Path(given) if given else application.data_dir / "auth_sessions"


def _forking_and_forked(application: Running) -> set[int]:
    """Return the fork server and the hosts, which have the same command line."""
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
