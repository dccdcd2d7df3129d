"""The fault table, row by row, on a real product: see `tests/faults/table.py`, `docs/faults.md`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from connections.lifecycle import RULES, State
from tests.faults.batches import BATCHES, BatchRun
from tests.faults.case import Case
from tests.faults.document import text
from tests.faults.row import LONG, Row
from tests.faults.runner import FAULTS_BY_PHASE, fault_of
from tests.faults.shared_faults import FAULTS as SHARED_FAULTS
from tests.faults.table import ROWS
from tests.support.application import ROOT
from tests.support.faults import IN_FILES, NOT_IN_FILES, disks

pytestmark = pytest.mark.skipif(not IN_FILES, reason=NOT_IN_FILES)
TOTAL_SECONDS = 900.0
PRODUCTS_AT_ONCE = 4
ONLY_LONG = ("refuse_long", "failure_501_long")
NEED_DISK = {
    row for batch in BATCHES if batch.needs_disk for group in batch.rows() for row in group
}

Futures = dict[Row, Future[Case]]


@pytest.fixture(scope="module")
def futures_by_row(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Futures]:
    """All rows that are asked for, each under way or over."""
    module_items = [
        item for item in request.session.items if getattr(item, "module", None) is request.module
    ]
    params: list[dict[str, Any]] = [
        item.callspec.params for item in module_items if hasattr(item, "callspec")
    ]
    rows: list[Row] = [found["row"] for found in params if "row" in found]
    wanted = {row for row in rows if not skip_reason(row)}
    runs = [
        BatchRun(batch, wanted, tmp_path_factory.mktemp("faults") / "data") for batch in BATCHES
    ]
    with ThreadPoolExecutor(PRODUCTS_AT_ONCE) as pool:
        for run in runs:
            if run.futures:
                pool.submit(run.run)
        yield {row: future for run in runs for row, future in run.futures.items()}


def skip_reason(row: Row) -> str:
    """Why a row cannot be played here, if so."""
    if row.fault in ONLY_LONG and not LONG:
        return "takes minutes: FAULTS_LONG=1"
    if row in NEED_DISK and not disks.can_mount():
        return disks.CANNOT_MOUNT
    return ""


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_fault_has_the_expected_status_and_recovery(futures_by_row: Futures, row: Row) -> None:
    if why := skip_reason(row):
        pytest.skip(why)
    case = futures_by_row[row].result(TOTAL_SECONDS)
    print(", ".join(f"{what} after {seconds:.1f} s" for what, seconds in case.seconds.items()))


def test_every_row_is_in_one_batch_and_every_fault_has_a_row() -> None:
    assert all(callable(fault_of(row)) for row in ROWS)
    batch_rows = [row for batch in BATCHES for group in batch.rows() for row in group]
    assert sorted(map(str, batch_rows)) == sorted(map(str, ROWS)), "in one batch each"
    rows = {(row.phase, row.fault) for row in ROWS}
    own = {(phase, fault) for phase, faults in FAULTS_BY_PHASE.items() for fault in faults}
    assert own <= rows
    assert set(SHARED_FAULTS) <= {fault for _, fault in rows}


def test_every_outcome_is_in_the_lifecycle() -> None:
    """Its state and reason are in the lifecycle's own table."""
    lifecycle_statuses = {(rule.state, rule.reason) for rule in RULES.values()}
    unchanged_states = {
        (State.CONNECTING, rule.reason) for rule in RULES.values() if rule.state is None
    }
    assert {row.expected for row in ROWS if row.expected} <= lifecycle_statuses | unchanged_states


def test_page_matches_the_table() -> None:
    page = (ROOT / "docs" / "faults.md").read_text()
    assert page == text(), "run: .venv/bin/python -m tests.faults > docs/faults.md"
