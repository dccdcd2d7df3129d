"""How a row is played: prepare, harm, look, mend, look again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from connections.lifecycle import State
from tests.faults import everyone, linked, pairing
from tests.faults.case import SETTLE_SECONDS, Case
from tests.faults.row import Goes, Kept, Phase, Row
from tests.faults.row_fault import RowFault

OF_ONE = {Phase.LINKED: linked.FAULTS, Phase.PAIRING: pairing.FAULTS}

PRESS_AGAIN_SECONDS = 2.0


def fault_of(row: Row) -> RowFault:
    """What is done. KeyError for a row that nobody plays."""
    own = OF_ONE[row.phase]
    return own[row.fault] if row.fault in own else everyone.FAULTS[row.fault]


def prepare(case: Case) -> None:
    """Bring a case and its mates to where the fault finds them."""
    linked = case.row.phase == Phase.LINKED
    for one in (case, *case.mates) if linked else case.mates:
        one.link()
    if not linked and not case.row.before_the_code:
        case.show_code()


def play(cases: Sequence[Case]) -> dict[Row, Exception | None]:
    """Let the cases suffer one fault together. What each row's outcome is."""
    outcome: dict[Row, Exception | None] = {case.row: None for case in cases}

    def each(step: Callable[[Case], None]) -> None:
        going = [case for case in cases if outcome[case.row] is None]
        with ThreadPoolExecutor(max(1, len(going))) as pool:
            steps: dict[Row, Future[None]] = {case.row: pool.submit(step, case) for case in going}
        for row, done in steps.items():
            outcome[row] = _error_of(done)

    for case in cases:
        for one in (case, *case.mates):
            one.remember()
    try:
        with fault_of(cases[0].row)(*cases):
            each(told)
    except Exception as error:
        # What a harm itself finds wrong concerns all that suffered it.
        return {row: own or error for row, own in outcome.items()}
    each(goes_on)
    return outcome


def _error_of(done: Future[None]) -> Exception | None:
    error = done.exception()
    if error is None or isinstance(error, Exception):
        return error
    raise error


def told(case: Case) -> None:
    """What people are told while it lasts."""
    row = case.row
    begun = time.monotonic()
    if row.before_the_code:
        case.api("POST", "reconnect")
    if row.told is None:
        return
    expected, within = row.told, row.told_within_here or row.told_within
    if row.goes == Goes.ON:
        # It may be over before anyone has looked; the history keeps it.
        case.until(lambda: case.has_been(expected), within, f"{expected} in the history")
    else:
        case.until(lambda: case.is_(expected), within, f"{expected} as the status")
    case.seconds["told"] = time.monotonic() - begun
    if row.kept == Kept.NOT_ADOPTED:
        case.until(lambda: not case.stores_now(), 5, "no credentials of the failed pairing")
    elif row.kept == Kept.GONE:
        case.check(not case.folder.exists(), "the credentials are still there")
    elif row.kept in (Kept.KEPT, Kept.UNUSED) and row.phase == Phase.LINKED:
        case.check(case.stores and case.stores_now() == case.stores, "the credentials are gone")


def goes_on(case: Case) -> None:
    """What comes after it, by itself or when someone presses Reconnect."""
    begun = time.monotonic()
    row = case.row
    if row.goes == Goes.ON and row.kept == Kept.KEPT:
        within = row.within_here or row.within
        case.until(lambda: _back(case), within, "connected by itself")
        case.check(not case.stores or case.stores_now() == case.stores, "other credentials")
        lines = len(case.history())
        case.check(not row.most_lines or lines <= row.most_lines, f"{lines} lines of history")
    elif row.goes == Goes.ON:
        look = case.another_code if row.told and not row.same_code else case.shown
        code = case.until(look, row.within, "a code by itself")
        case.seconds["back"] = time.monotonic() - begun
        _links(case, code)
    elif row.goes == Goes.RESUMES:
        answer = case.api("POST", "reconnect")
        case.check(answer.status in (200, 202), f"reconnect: {answer.status} {answer.body}")
        case.check(answer.body.get("qrCode") is None, "it asks for a scan")
        case.until(lambda: _back(case), row.within, "connected")
        case.check(case.stores_now() == case.stores, "other credentials")
    elif row.goes == Goes.NEW_CODE:
        code = _press_for_a_code(case)
        case.seconds["back"] = time.monotonic() - begun
        _links(case, code)
    case.seconds.setdefault("back", time.monotonic() - begun)


def _press_for_a_code(case: Case) -> str:
    """Press Reconnect, and again where it takes a while until that helps."""
    give_up_at = time.monotonic() + case.row.reconnect_within
    while (answer := case.api("POST", "reconnect")).status not in (200, 202):
        late = time.monotonic() > give_up_at
        case.check(not late and answer.status == 503, f"reconnect: {answer.status} {answer.body}")
        time.sleep(PRESS_AGAIN_SECONDS)
    case.check(answer.status == 202 or answer.body["qrCode"], "reconnect resumed something")
    return case.until(case.another_code, case.row.within, "a new code")


def _back(case: Case) -> bool:
    return bool(case.status()["state"] == State.CONNECTED and case.online())


def _links(case: Case, code: str) -> None:
    case.scan(code, case.next_number)
    case.until(case.settled, SETTLE_SECONDS, "linked with the new code")
