"""The fault table, row by row, on a real product: see `tests/faults/table.py`, `docs/faults.md`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from connections.lifecycle import RULES, State
from tests.faults.batches import BATCHES, Run
from tests.faults.case import Case
from tests.faults.document import text
from tests.faults.everyone import FAULTS as OF_EVERYONE
from tests.faults.playing import OF_ONE, fault_of
from tests.faults.row import LONG, Row
from tests.faults.table import ROWS
from tests.support.application import ROOT
from tests.support.faults import IN_FILES, NOT_IN_FILES, disks

pytestmark = pytest.mark.skipif(not IN_FILES, reason=NOT_IN_FILES)
ALL_SECONDS = 900.0
PRODUCTS_AT_ONCE = 4
ONLY_LONG = ("refuse_long", "failure_501_long")
NEED_DISK = {
    row for batch in BATCHES if batch.needs_disk for group in batch.rows() for row in group
}

Futures = dict[Row, Future[Case]]


@pytest.fixture(scope="module")
def playing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Futures]:
    """All rows that are asked for, each under way or over."""
    here = [
        item for item in request.session.items if getattr(item, "module", None) is request.module
    ]
    params: list[dict[str, Any]] = [
        item.callspec.params for item in here if hasattr(item, "callspec")
    ]
    rows: list[Row] = [found["row"] for found in params if "row" in found]
    wanted = {row for row in rows if not why_not(row)}
    runs = [Run(batch, wanted, tmp_path_factory.mktemp("faults") / "data") for batch in BATCHES]
    with ThreadPoolExecutor(PRODUCTS_AT_ONCE) as pool:
        for run in runs:
            if run.futures:
                pool.submit(run.play)
        yield {row: future for run in runs for row, future in run.futures.items()}


def why_not(row: Row) -> str:
    """Why a row cannot be played here, if so."""
    if row.fault in ONLY_LONG and not LONG:
        return "takes minutes: FAULTS_LONG=1"
    if row in NEED_DISK and not disks.can_mount():
        return disks.CANNOT_MOUNT
    return ""


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_fault_leads_to_what_its_row_says(playing: Futures, row: Row) -> None:
    if why := why_not(row):
        pytest.skip(why)
    case = playing[row].result(ALL_SECONDS)
    print(", ".join(f"{what} after {took:.1f} s" for what, took in case.seconds.items()))


def test_every_row_is_played_and_every_fault_has_a_row() -> None:
    assert all(callable(fault_of(row)) for row in ROWS)
    played = [row for batch in BATCHES for group in batch.rows() for row in group]
    assert sorted(map(str, played)) == sorted(map(str, ROWS)), "in one batch each"
    rows = {(row.phase, row.fault) for row in ROWS}
    own = {(phase, fault) for phase, faults in OF_ONE.items() for fault in faults}
    assert own <= rows
    assert set(OF_EVERYONE) <= {fault for _, fault in rows}


def test_every_outcome_is_in_the_lifecycle() -> None:
    """Its state and reason are in the lifecycle's own table."""
    known = {(rule.state, rule.reason) for rule in RULES.values()}
    standing = {(State.CONNECTING, rule.reason) for rule in RULES.values() if rule.state is None}
    assert {row.told for row in ROWS if row.told} <= known | standing


def test_page_matches_the_table() -> None:
    page = (ROOT / "docs" / "faults.md").read_text()
    assert page == text(), "run: .venv/bin/python -m tests.faults > docs/faults.md"
