"""Run a row of the fault table: prepare, start the fault, check, end it, check again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from connections.lifecycle import State
from tests.faults import linked_faults, pairing_faults, shared_faults
from tests.faults.case import SETTLE_SECONDS, Case
from tests.faults.row import Credentials, Phase, Recovery, Row
from tests.faults.row_fault import RowFault

FAULTS_BY_PHASE = {Phase.LINKED: linked_faults.FAULTS, Phase.PAIRING: pairing_faults.FAULTS}

RETRY_SECONDS = 2.0


def fault_of(row: Row) -> RowFault:
    """Return the fault of a row. Raises KeyError if there is none."""
    own_error = FAULTS_BY_PHASE[row.phase]
    return own_error[row.fault] if row.fault in own_error else shared_faults.FAULTS[row.fault]


def prepare(case: Case) -> None:
    """Link a case and its neighbours, or show its code."""
    linked = case.row.phase == Phase.LINKED
    for one in (case, *case.neighbours) if linked else case.neighbours:
        one.link()
    if not linked and not case.row.before_code:
        case.show_code()


def run(cases: Sequence[Case]) -> dict[Row, Exception | None]:
    """Apply one fault to all cases. Returns the error of each row, or None."""
    outcome: dict[Row, Exception | None] = {case.row: None for case in cases}

    def run_step(step: Callable[[Case], None]) -> None:
        passing = [case for case in cases if outcome[case.row] is None]
        with ThreadPoolExecutor(max(1, len(passing))) as pool:
            steps: dict[Row, Future[None]] = {case.row: pool.submit(step, case) for case in passing}
        for row, done in steps.items():
            outcome[row] = _error_of(done)

    for case in cases:
        for one in (case, *case.neighbours):
            one.mark_history()
    try:
        with fault_of(cases[0].row)(*cases):
            run_step(check_during_fault)
    except Exception as error:
        # An error of the fault itself counts for all rows without their own.
        return {row: own_error or error for row, own_error in outcome.items()}
    run_step(check_after_fault)
    return outcome


def _error_of(done: Future[None]) -> Exception | None:
    error = done.exception()
    if error is None or isinstance(error, Exception):
        return error
    raise error


def check_during_fault(case: Case) -> None:
    """Check the status and the credentials during the fault."""
    row = case.row
    started = time.monotonic()
    if row.before_code:
        case.api("POST", "reconnect")
    if row.expected is None:
        return
    expected, within = row.expected, row.test_expected_within or row.expected_within
    if row.recovery == Recovery.AUTOMATIC:
        # The status may change before the next poll; the history keeps it.
        case.wait_until(lambda: case.had_status(expected), within, f"{expected} in the history")
    else:
        case.wait_until(lambda: case.has_status(expected), within, f"{expected} as the status")
    case.seconds["told"] = time.monotonic() - started
    if row.credentials == Credentials.NOT_ADOPTED:
        case.wait_until(lambda: not case.stores_now(), 5, "no credentials of the failed pairing")
    elif row.credentials == Credentials.GONE:
        case.check(not case.folder.exists(), "the credentials are still there")
    elif row.credentials in (Credentials.KEPT, Credentials.UNUSED) and row.phase == Phase.LINKED:
        case.check(case.stores and case.stores_now() == case.stores, "the credentials are gone")


def check_after_fault(case: Case) -> None:
    """Check the recovery, automatic or after Reconnect."""
    started = time.monotonic()
    row = case.row
    if row.recovery == Recovery.AUTOMATIC and row.credentials == Credentials.KEPT:
        within = row.test_within or row.within
        case.wait_until(lambda: _is_back(case), within, "connected by itself")
        case.check(not case.stores or case.stores_now() == case.stores, "other credentials")
        lines = len(case.history())
        case.check(not row.max_events or lines <= row.max_events, f"{lines} lines of history")
    elif row.recovery == Recovery.AUTOMATIC:
        get_code = case.new_code if row.expected and not row.same_code else case.current_code
        code = case.wait_until(get_code, row.within, "a code by itself")
        case.seconds["back"] = time.monotonic() - started
        _link_with(case, code)
    elif row.recovery == Recovery.RESUMES:
        answer = case.api("POST", "reconnect")
        case.check(answer.status in (200, 202), f"reconnect: {answer.status} {answer.body}")
        case.check(answer.body.get("qrCode") is None, "it asks for a scan")
        case.wait_until(lambda: _is_back(case), row.within, "connected")
        case.check(case.stores_now() == case.stores, "other credentials")
    elif row.recovery == Recovery.NEW_CODE:
        code = _request_new_code(case)
        case.seconds["back"] = time.monotonic() - started
        _link_with(case, code)
    case.seconds.setdefault("back", time.monotonic() - started)


def _request_new_code(case: Case) -> str:
    """Reconnect, repeatedly within `reconnect_within`. Returns the new code."""
    deadline = time.monotonic() + case.row.reconnect_within
    while (answer := case.api("POST", "reconnect")).status not in (200, 202):
        late = time.monotonic() > deadline
        case.check(not late and answer.status == 503, f"reconnect: {answer.status} {answer.body}")
        time.sleep(RETRY_SECONDS)
    case.check(answer.status == 202 or answer.body["qrCode"], "reconnect resumed something")
    return case.wait_until(case.new_code, case.row.within, "a new code")


def _is_back(case: Case) -> bool:
    return bool(case.status()["state"] == State.CONNECTED and case.online())


def _link_with(case: Case, code: str) -> None:
    case.scan(code, case.next_number)
    case.wait_until(case.is_settled, SETTLE_SECONDS, "linked with the new code")
