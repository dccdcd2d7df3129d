"""Faults that affect all organizations: network, WhatsApp, processes, database and disk."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults.case import Case
from tests.faults.linked_faults import MANY, ban_ends, wait_for_end_of_ban
from tests.faults.row import FAULT_SECONDS, LONG, Phase
from tests.faults.row_fault import RowFault, lasting
from tests.faults.table import BAN, CRASHED, OUTDATED
from tests.support import host_processes
from tests.support.application import Application
from tests.support.faults import Fault, databases, disks, processes
from tests.support.faults.whatsapp import WhatsAppFault

PROBE_SECONDS = 4
# The longest restart of a product on a busy machine.
RESTART_SECONDS = 20


def linked(cases: tuple[Case, ...]) -> list[Case]:
    """Return the linked cases with their neighbours."""
    return [
        member
        for case in cases
        if case.row.phase == Phase.LINKED
        for member in (case, *case.neighbours)
    ]


# --- WhatsApp and the way to it -----------------------------------------------------------------


def outage(kind: str, **params: Any) -> RowFault:
    """Make WhatsApp unreachable for a while, and drop the linked connections."""

    @contextmanager
    def apply(*cases: Case) -> Iterator[None]:
        with WhatsAppFault(cases[0].simulator, kind, **params), lasting():
            for case in linked(cases):
                case.simulator.drop(number=case.number)
            yield

    return apply


@contextmanager
def lost_restart(case: Case) -> Iterator[None]:
    case.simulator.arm("refuse", seconds=3)
    case.simulator.arm("stream_515", number=case.number)
    yield


def endless_outage(kind: str, **params: Any) -> RowFault:
    """Make WhatsApp unreachable until the product gives up."""

    @contextmanager
    def apply(case: Case) -> Iterator[None]:
        with WhatsAppFault(case.simulator, kind, **params):
            yield

    return apply


@contextmanager
def outdated(*cases: Case) -> Iterator[None]:
    """Refuse the client's version; check for one alarm and few logins."""
    case = cases[0]
    alarms = case.application.log_text().count(ALARM)
    with WhatsAppFault(case.simulator, "failure", count=MANY, reason=405, pairing=1) as fault:
        for member in linked(cases):
            member.simulator.drop(number=member.number)
        yield
        before_wait = MANY - fault.count_left()
        wait_seconds = max(FAULT_SECONDS, 2 * PROBE_SECONDS)
        time.sleep(wait_seconds)
        dials = MANY - fault.count_left() - before_wait
        case.check(
            dials <= wait_seconds / PROBE_SECONDS + 2, f"{dials} logins in {wait_seconds:g} s"
        )
        alarms_added = case.application.log_text().count(ALARM) - alarms
        case.check(alarms_added == 1, f"{alarms_added} alarms in the log")
        for member in linked(cases):
            member.check(member.has_status(OUTDATED), "its status is not outdated")
    for member in linked(cases):
        member.wait_until(member.is_settled, 2 * PROBE_SECONDS + 10, "connected by itself")


ALARM = "WhatsApp refuses this version of the client"


@contextmanager
def no_scan(case: Case) -> Iterator[None]:
    case.simulator.set_refs(6 if LONG else 1)
    yield
    case.simulator.set_refs(6)


# --- Processes ----------------------------------------------------------------------------------


@contextmanager
def host_killed(case: Case) -> Iterator[None]:
    host = host_processes.host_of(case.application, case.organization)
    processes.kill(host)
    yield
    assert_host_shared(case, host)


@contextmanager
def host_stopped(case: Case) -> Iterator[None]:
    host = host_processes.host_of(case.application, case.organization)
    with processes.stopped(host):
        yield
    assert_host_shared(case, host)


@contextmanager
def host_memory(case: Case) -> Iterator[None]:
    host = host_processes.host_of(case.application, case.organization)
    # Idle, and not for long: a host whose client does not close in time is emptied in order.
    processes.out_of_memory(host, seconds=2)
    yield
    assert_host_shared(case, host)
    details = [line["detail"] for line in case.history() if line["reason"] == CRASHED[1]]
    case.check(all(details), "the history does not say why")


def assert_host_shared(case: Case, host: int) -> None:
    """Check that neighbours in the same host are affected, and no others."""
    case.check(host_processes.gone(host), "the host process still lives")
    neighbours, others = case.neighbours[:1], case.neighbours[1:]
    for member in neighbours:
        member.wait_until(
            partial(member.had_status, CRASHED), 10, "its neighbour in the host is told, too"
        )
        member.wait_until(member.is_settled, 30, "its neighbour in the host comes back, too")
    for member in others:
        member.check(member.has_no_events(), "one in another host was disturbed")


@contextmanager
def fork_server_killed(case: Case) -> Iterator[None]:
    before = case.online()
    processes.kill(host_processes.fork_server(case.application))
    (neighbour,) = case.neighbours
    neighbour.api("DELETE", "disconnect")
    neighbour.link()
    case.check(case.online() == before, "its connection broke")
    yield


def restarted(while_down: Callable[[Case], None]) -> RowFault:
    """Kill the product with SIGKILL, call `while_down` and start it again."""

    @contextmanager
    def apply(*cases: Case) -> Iterator[None]:
        with processes.killed(cases[0].application):
            for case in cases:
                while_down(case)
        yield

    return apply


def harm_credentials(case: Case) -> None:
    if case.row.fault == "credentials_damaged":
        disks.corrupt(case.folder)
    elif case.row.fault == "credentials_missing":
        shutil.rmtree(case.folder)


@contextmanager
def ban_restart(case: Case) -> Iterator[None]:
    case.simulator.arm("failure", number=case.number, reason=402, code=101, expire=RESTART_SECONDS)
    case.simulator.drop(number=case.number)
    case.wait_until(lambda: case.has_status(BAN), 10, "the ban")
    ends = ban_ends(case)
    with processes.killed(case.application):
        pass  # The simulator ends with it, and forgets its faults.
    case.check(time.time() < ends - 2, "the start took so long that the ban is over")
    case.check(ban_ends(case) == ends, "the end of the ban is another one")
    wait_for_end_of_ban(case)
    yield


# --- The database and the disk ------------------------------------------------------------------

OUTAGE_SECONDS = 30.0 if LONG else 12.0


def database(fault: Callable[[Application], Fault]) -> RowFault:
    """Check that links stay up, requests get responses, and events are recorded later."""

    @contextmanager
    def apply(*cases: Case) -> Iterator[None]:
        live_connections = [
            (case, case.online()) for case in cases if case.row.phase == Phase.LINKED
        ]
        unlinked = cases[0].neighbours[0]
        with fault(cases[0].application):
            with lasting(OUTAGE_SECONDS):
                unlinked.simulator.unlink(jid=unlinked.jid)
                for method, action in (("GET", "status"), ("POST", "reconnect")):
                    answer = cases[0].api(method, action)
                    is_explained = answer.status < 500 or answer.body.get("code")
                    cases[0].check(is_explained, f"{method} {action}: {answer}")
                    cases[0].check("Traceback" not in str(answer.body), f"a traceback: {answer}")
            for case, connection in live_connections:
                connection_ids = {found["id"] for found in case.simulator.connections()}
                case.check(
                    connection and connection["id"] in connection_ids, "its connection broke"
                )
        yield
        gone = unlinked.status
        unlinked.wait_until(
            lambda: gone()["reason"] == "logged_out_by_phone", 10, "what happened meanwhile"
        )

    return apply


def disk(fault: Callable[[disks.SmallDisk], Fault]) -> RowFault:
    """Break the credentials' disk, and check that a dropped link logs in again."""

    @contextmanager
    def apply(*cases: Case) -> Iterator[None]:
        small = cases[0].disk
        assert small is not None
        with fault(small):
            for case in linked(cases):
                case.simulator.drop(number=case.number)
            with lasting():
                yield
            for case in linked(cases):
                case.check(case.online(), "it has not come back from the drop")

    return apply


CHECKPOINT = """
import contextlib, sqlite3, sys
with contextlib.closing(sqlite3.connect(sys.argv[1])) as database:
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
"""


@contextmanager
def read_only_restart(case: Case) -> Iterator[None]:
    assert case.disk is not None
    case.application.kill()
    if case.row.fault == "store_unusable":
        # SQLite can open a database on a read-only disk if its WAL is there, as after a kill.
        for store in case.stores:
            path = "/" / store.relative_to(case.disk.outside_path(Path("/")))
            command = [*case.disk.prefix, sys.executable, "-c", CHECKPOINT, str(path)]
            subprocess.run(command, check=True, timeout=30)
    with disks.read_only(case.disk):
        case.application.start()
        yield


FAULTS: dict[str, RowFault] = {
    "refuse": outage("refuse"),
    "refuse_407": outage("refuse", status=407),
    "http_503": outage("http_503"),
    "no_server_hello": outage("no_server_hello"),
    "refuse_long": endless_outage("refuse"),
    "failure_501_long": endless_outage("failure", reason=501, pairing=1),
    "lost_restart": lost_restart,
    "outdated": outdated,
    "no_scan": no_scan,
    **{
        f"failure_{reason}": outage("failure", reason=reason, pairing=1)
        for reason in (413, 501, 503)
    },
    "host_killed": host_killed,
    "host_stopped": host_stopped,
    "host_memory": host_memory,
    "fork_server_killed": fork_server_killed,
    "product_killed": restarted(harm_credentials),
    "credentials_damaged": restarted(harm_credentials),
    "credentials_missing": restarted(harm_credentials),
    "ban_restart": ban_restart,
    "database_locked": database(databases.locked),
    "database_away": database(databases.away),
    "disk_full": disk(disks.full),
    "read_only": disk(disks.read_only),
    "read_only_restart": read_only_restart,
    "store_unusable": read_only_restart,
}
