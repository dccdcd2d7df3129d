"""SIGTERM in the middle of anything: a clean end, and the next start brings everything back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.faults.case import Case
from tests.faults.row import Phase, Row
from tests.faults.shutdown_cases import SHUTDOWN_CASES, STOP_SECONDS, ShutdownCase
from tests.support import host_processes
from tests.support.application import Application, until
from tests.support.faults import IN_FILES, NOT_IN_FILES, databases, processes

pytestmark = pytest.mark.skipif(not IN_FILES, reason=NOT_IN_FILES)
ROW = Row(Phase.LINKED, "stop", "the service is stopped", None)
# Beyond the promise: the interpreter's own start and end, on a busy machine.
GRACE_SECONDS = 3.0
PRODUCTS_AT_ONCE = 4
TOTAL_SECONDS = 300.0

Situation = Callable[[list[Case]], AbstractContextManager[None]]


@contextmanager
def idle(cases: list[Case]) -> Iterator[None]:
    yield


@contextmanager
def code_shown(cases: list[Case]) -> Iterator[None]:
    cases[2].show_code()
    yield


@contextmanager
def silent_dial(cases: list[Case]) -> Iterator[None]:
    linked, _, unlinked = cases
    linked.simulator.arm("no_server_hello")
    linked.simulator.drop(number=linked.number)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(unlinked.api, "POST", "reconnect")
        handshake_states = {"handshake"}
        linked.wait_until(
            lambda: (
                sum(c["state"] in handshake_states for c in linked.simulator.connections()) >= 2
            ),
            15,
            "two dials that are not answered",
        )
        yield


@contextmanager
def deaf_logout(cases: list[Case]) -> Iterator[None]:
    disconnecting = cases[1]
    disconnecting.simulator.arm("no_logout_answer", number=disconnecting.number)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(disconnecting.api, "DELETE", "disconnect")
        disconnecting.wait_until(
            lambda: disconnecting.status()["reason"] == "disconnecting", 5, "a disconnect"
        )
        yield


@contextmanager
def host_stopped(cases: list[Case]) -> Iterator[None]:
    with processes.stopped(host_processes.host_of(cases[0].application, cases[0].organization)):
        yield


@contextmanager
def database_locked(cases: list[Case]) -> Iterator[None]:
    with databases.locked(cases[0].application):
        cases[0].simulator.drop(number=cases[0].number)  # which has to be written down
        time.sleep(1)
        yield


@contextmanager
def database_away(cases: list[Case]) -> Iterator[None]:
    with databases.away(cases[0].application):
        cases[0].simulator.drop(number=cases[0].number)
        time.sleep(1)
        yield


def wanted(case: Case) -> bool:
    return bool(case.status()["desired"] == "connected")


@contextmanager
def reconnects(cases: list[Case]) -> Iterator[None]:
    with ThreadPoolExecutor(len(cases)) as pool:
        requests = [pool.submit(case.api, "POST", "reconnect") for case in cases[2:]]
        for case in cases[2:]:
            case.wait_until(partial(wanted, case), 20, "its request written")
        yield
        for answer in requests:
            answer.exception()


SITUATIONS: dict[str, Situation] = {
    "idle": idle,
    "code_shown": code_shown,
    "silent_dial": silent_dial,
    "deaf_logout": deaf_logout,
    "host_stopped": host_stopped,
    "database_locked": database_locked,
    "database_away": database_away,
    "reconnects": reconnects,
}


@pytest.fixture(scope="module")
def shutdowns(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[ShutdownCase, Future[float]]]:
    """Every stop that is asked for, each on a product of its own, under way or over."""
    module_items = [
        item for item in request.session.items if getattr(item, "module", None) is request.module
    ]
    requests = [item.callspec.params["stop"] for item in module_items if hasattr(item, "callspec")]
    with ThreadPoolExecutor(PRODUCTS_AT_ONCE) as pool:
        yield {
            stop: pool.submit(run, stop, tmp_path_factory.mktemp("stops") / "data")
            for stop in requests
        }


@pytest.mark.parametrize("stop", SHUTDOWN_CASES, ids=str)
def test_stop_ends_in_time_and_next_start_recovers(
    shutdowns: dict[ShutdownCase, Future[float]], stop: ShutdownCase
) -> None:
    seconds = shutdowns[stop].result(TOTAL_SECONDS)
    print(f"stopped after {seconds:.1f} s")
    assert seconds < STOP_SECONDS + GRACE_SECONDS


def run(stop: ShutdownCase, data_dir: Path) -> float:
    """Stop a product in the middle of it, and start it again. How long it took to stop."""
    number = 12 if stop.name == "reconnects" else 3
    with Application(data_dir) as product:
        names = [f"{stop} {n}" for n in range(number)]
        cases = [Case(product, ROW, created) for created in product.new_organizations(*names)]
        for case in cases[:2]:
            case.link()
        for case in cases:
            case.mark_history()
        with ExitStack() as stack:
            stack.enter_context(SITUATIONS[stop.name](cases))
            devices = {device["jid"] for device in product.simulator.devices()}
            seconds = terminate(product)
        product.start()
        assert_recovers(cases, devices, stop)
    return seconds


def terminate(product: Application) -> float:
    """SIGTERM. How long it took until nothing of it ran any more."""
    process = product.process
    assert process is not None
    before = product.processes()
    started = time.monotonic()
    process.terminate()
    try:
        process.wait(3 * STOP_SECONDS)
        until(lambda: not product.processes() & before, STOP_SECONDS, "the end of its processes")
    finally:
        for left in product.processes() & before:
            processes.kill(left)
    assert process.returncode == 0, f"{process.returncode}\n{product.log_text()[-3000:]}"
    return time.monotonic() - started


def assert_recovers(cases: list[Case], devices: set[str], stop: ShutdownCase) -> None:
    """Everyone who was linked is connected, and who was about to be gets a code."""
    staying = cases[:2]
    if stop.name == "deaf_logout":
        disconnecting = staying.pop()
        disconnecting.wait_until(
            lambda: disconnecting.status()["state"] == "disconnected", 20, "disconnected"
        )
        devices.discard(disconnecting.jid)
    credentials = {device["jid"] for device in cases[0].simulator.devices()}
    assert credentials == devices, "devices come or gone at WhatsApp"
    for case in staying:
        case.check(case.jid in credentials, "it was logged out")
        case.wait_until(case.is_settled, 20, "connected again by itself")
    if stop.name in ("code_shown", "silent_dial", "reconnects"):
        for case in cases[2:]:
            case.scan(case.wait_until(case.current_code, 20, "a code by itself"))
            case.wait_until(case.is_settled, 20, "linked")
