"""What befalls everyone at once: the network, WhatsApp's servers, our processes, files and disk."""

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
from tests.faults.linked import MANY, ban_ends, wait_out
from tests.faults.row import LASTS, LONG, Phase
from tests.faults.row_fault import RowFault, lasting
from tests.faults.table import BAN, CRASHED, OUTDATED
from tests.support import host_processes
from tests.support.application import Application
from tests.support.faults import Fault, databases, disks, processes
from tests.support.faults.whatsapp import WhatsAppFault

PROBE_SECONDS = 4
# How long a product may take to die and to come up again on a busy machine.
RESTART_SECONDS = 20


def linked(cases: tuple[Case, ...]) -> list[Case]:
    """Those that are linked, with their mates."""
    return [one for case in cases if case.row.phase == Phase.LINKED for one in (case, *case.mates)]


# --- WhatsApp and the way to it -----------------------------------------------------------------


def outage(kind: str, **params: Any) -> RowFault:
    """No one gets through for a while; whoever is linked drops as it begins."""

    @contextmanager
    def befall(*cases: Case) -> Iterator[None]:
        with WhatsAppFault(cases[0].simulator, kind, **params), lasting():
            for case in linked(cases):
                case.simulator.drop(number=case.number)
            yield

    return befall


@contextmanager
def lost_restart(case: Case) -> Iterator[None]:
    case.simulator.arm("refuse", seconds=3)
    case.simulator.arm("stream_515", number=case.number)
    yield


def until_told(kind: str, **params: Any) -> RowFault:
    """No one gets through for as long as it takes to give up."""

    @contextmanager
    def befall(case: Case) -> Iterator[None]:
        with WhatsAppFault(case.simulator, kind, **params):
            yield

    return befall


@contextmanager
def outdated(*cases: Case) -> Iterator[None]:
    """One alarm and a quiet fleet, however many organizations are refused."""
    case = cases[0]
    alarms = case.application.log_text().count(ALARM)
    with WhatsAppFault(case.simulator, "failure", count=MANY, reason=405, pairing=1) as fault:
        for one in linked(cases):
            one.simulator.drop(number=one.number)
        yield
        quiet = MANY - fault.count_left()
        lasted = max(LASTS, 2 * PROBE_SECONDS)
        time.sleep(lasted)
        dials = MANY - fault.count_left() - quiet
        case.check(dials <= lasted / PROBE_SECONDS + 2, f"{dials} logins in {lasted:g} s")
        new = case.application.log_text().count(ALARM) - alarms
        case.check(new == 1, f"{new} alarms in the log")
        for one in linked(cases):
            one.check(one.is_(OUTDATED), "it is not told that it is outdated")
    for one in linked(cases):
        one.until(one.settled, 2 * PROBE_SECONDS + 10, "connected by itself")


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
    shared_fate(case, host)


@contextmanager
def host_stopped(case: Case) -> Iterator[None]:
    host = host_processes.host_of(case.application, case.organization)
    with processes.stopped(host):
        yield
    shared_fate(case, host)


@contextmanager
def host_memory(case: Case) -> Iterator[None]:
    host = host_processes.host_of(case.application, case.organization)
    # Idle, and not for long: a host whose client does not close in time is emptied in order.
    processes.out_of_memory(host, seconds=2)
    yield
    shared_fate(case, host)
    why = [line["detail"] for line in case.history() if line["reason"] == CRASHED[1]]
    case.check(all(why), "the history does not say why")


def shared_fate(case: Case, host: int) -> None:
    """Who was in the same host suffers the same; no one else notices."""
    case.check(host_processes.gone(host), "the host process still lives")
    neighbours, others = case.mates[:1], case.mates[1:]
    for one in neighbours:
        one.until(partial(one.has_been, CRASHED), 10, "its neighbour in the host is told, too")
        one.until(one.settled, 30, "its neighbour in the host comes back, too")
    for one in others:
        one.check(one.has_not_moved(), "one in another host was disturbed")


@contextmanager
def fork_server_killed(case: Case) -> Iterator[None]:
    before = case.online()
    processes.kill(host_processes.fork_server(case.application))
    (mate,) = case.mates
    mate.api("DELETE", "disconnect")
    mate.link()
    case.check(case.online() == before, "its connection broke")
    yield


def restarted(while_down: Callable[[Case], None]) -> RowFault:
    """kill -9 of the product and a new start; in between, something happens to files."""

    @contextmanager
    def befall(*cases: Case) -> Iterator[None]:
        with processes.killed(cases[0].application):
            for case in cases:
                while_down(case)
        yield

    return befall


def spoil(case: Case) -> None:
    if case.row.fault == "credentials_damaged":
        disks.corrupt(case.folder)
    elif case.row.fault == "credentials_missing":
        shutil.rmtree(case.folder)


@contextmanager
def ban_restart(case: Case) -> Iterator[None]:
    case.simulator.arm("failure", number=case.number, reason=402, code=101, expire=RESTART_SECONDS)
    case.simulator.drop(number=case.number)
    case.until(lambda: case.is_(BAN), 10, "the ban")
    ends = ban_ends(case)
    with processes.killed(case.application):
        pass  # The simulator ends with it, and forgets its faults.
    case.check(time.time() < ends - 2, "the start took so long that the ban is over")
    case.check(ban_ends(case) == ends, "the end of the ban is another one")
    wait_out(case)
    yield


# --- The database and the disk ------------------------------------------------------------------

AWAY_SECONDS = 30.0 if LONG else 12.0


def database(fault: Callable[[Application], Fault]) -> RowFault:
    """Links stay up, requests are answered, and what happened meanwhile is told afterwards."""

    @contextmanager
    def befall(*cases: Case) -> Iterator[None]:
        up = [(case, case.online()) for case in cases if case.row.phase == Phase.LINKED]
        unlinked = cases[0].mates[0]
        with fault(cases[0].application):
            with lasting(AWAY_SECONDS):
                unlinked.simulator.unlink(jid=unlinked.jid)
                for method, action in (("GET", "status"), ("POST", "reconnect")):
                    answer = cases[0].api(method, action)
                    told = answer.status < 500 or answer.body.get("code")
                    cases[0].check(told, f"{method} {action}: {answer}")
                    cases[0].check("Traceback" not in str(answer.body), f"a traceback: {answer}")
            for case, connection in up:
                there = {found["id"] for found in case.simulator.connections()}
                case.check(connection and connection["id"] in there, "its connection broke")
        yield
        gone = unlinked.status
        unlinked.until(
            lambda: gone()["reason"] == "logged_out_by_phone", 10, "what happened meanwhile"
        )

    return befall


def disk(fault: Callable[[disks.SmallDisk], Fault]) -> RowFault:
    """The credentials' disk is of no use; whoever is linked has to log in again meanwhile."""

    @contextmanager
    def befall(*cases: Case) -> Iterator[None]:
        small = cases[0].disk
        assert small is not None
        with fault(small):
            for case in linked(cases):
                case.simulator.drop(number=case.number)
            with lasting():
                yield
            for case in linked(cases):
                case.check(case.online(), "it has not come back from the drop")

    return befall


TIDY_UP = """
import contextlib, sqlite3, sys
with contextlib.closing(sqlite3.connect(sys.argv[1])) as database:
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
"""


@contextmanager
def read_only_restart(case: Case) -> Iterator[None]:
    assert case.disk is not None
    case.application.kill()
    if case.row.fault == "store_unusable":
        # SQLite reads a database on such a disk while its log lies beside it, as after a kill.
        for store in case.stores:
            path = "/" / store.relative_to(case.disk.seen(Path("/")))
            command = [*case.disk.prefix, sys.executable, "-c", TIDY_UP, str(path)]
            subprocess.run(command, check=True, timeout=30)
    with disks.read_only(case.disk):
        case.application.start()
        yield


FAULTS: dict[str, RowFault] = {
    "refuse": outage("refuse"),
    "refuse_407": outage("refuse", status=407),
    "http_503": outage("http_503"),
    "no_server_hello": outage("no_server_hello"),
    "refuse_long": until_told("refuse"),
    "failure_501_long": until_told("failure", reason=501, pairing=1),
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
    "product_killed": restarted(spoil),
    "credentials_damaged": restarted(spoil),
    "credentials_missing": restarted(spoil),
    "ban_restart": ban_restart,
    "database_locked": database(databases.locked),
    "database_away": database(databases.away),
    "disk_full": disk(disks.full),
    "read_only": disk(disks.read_only),
    "read_only_restart": read_only_restart,
    "store_unusable": read_only_restart,
}
