"""Group the rows of the fault table into batches that share a running product."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import shared_faults
from tests.faults.case import Case
from tests.faults.row import Phase, Row
from tests.faults.runner import prepare, run
from tests.faults.table import ROWS
from tests.support.application import Application
from tests.support.faults import disks

AT_ONCE = 12
# Slow because they wait most of the time, so they start first.
SLOW = (
    *("linked-drop_at_login", "linked-drop_after_login", "linked-stream_503_at_login"),
    *("linked-no_pong", "linked-silence", "linked-mute_login", "linked-ban", "pairing-ban"),
)


@dataclass(frozen=True)
class Batch:
    """Groups of rows that share a product; the rows of a group share one fault."""

    groups: tuple[str, ...]  # each group: names of rows, separated by spaces
    parallel: bool = False  # run all groups at the same time
    in_order: bool = False  # prepare them one after the other, so that hosts fill up in that order
    environment: dict[str, str] = field(default_factory=dict)
    needs_disk: bool = False

    def rows(self) -> Iterator[tuple[Row, ...]]:
        """Yield the rows of each group."""
        by_name = {str(row): row for row in ROWS}
        for group in self.groups:
            yield tuple(by_name[name] for name in group.split())


QUICK = {"DIAL_TIMEOUT_SECONDS": "4", "OUTDATED_RETRY_SECONDS": str(shared_faults.PROBE_SECONDS)}

SEPARATE_BATCHES = (
    Batch(
        (
            "linked-host_killed",
            "linked-host_stopped",
            "linked-host_memory",
            "linked-failure_413",
            "pairing-host_killed",
            "pairing-host_stopped",
        ),
        parallel=True,
        in_order=True,
        environment={"SESSIONS_PER_HOST": "2"},
    ),
    Batch(
        (
            "linked-refuse pairing-refuse",
            "linked-refuse_407 pairing-refuse_407",
            "linked-http_503 pairing-http_503",
            "linked-no_server_hello pairing-no_server_hello",
            "linked-lost_restart",
        ),
        environment=QUICK,
    ),
    Batch(
        (
            "linked-outdated pairing-outdated",
            "pairing-failure_503",
            "pairing-failure_501",
            "pairing-failure_413",
            "pairing-no_scan",
        ),
        environment=QUICK,
    ),
    Batch(
        (
            "linked-fork_server_killed",
            "linked-product_killed pairing-product_killed",
            "linked-credentials_damaged linked-credentials_missing",
            "linked-ban_restart",
        ),
    ),
    Batch(
        (
            "linked-database_locked pairing-database_locked",
            "linked-database_away pairing-database_away",
        ),
    ),
    Batch(
        (
            "linked-disk_full pairing-disk_full",
            "linked-read_only pairing-read_only",
            "linked-read_only_restart",
            "linked-store_unusable",
        ),
        needs_disk=True,
    ),
    Batch(("pairing-refuse_long", "pairing-failure_501_long")),
)
_separate = {row for batch in SEPARATE_BATCHES for group in batch.rows() for row in group}
_common = [str(row) for row in ROWS if row not in _separate]
# Codes expire after a minute, so pairings come first.
_common.sort(key=lambda name: (name not in SLOW, not name.startswith(Phase.PAIRING)))
COMMON_BATCH = Batch(tuple(_common), parallel=True, environment={"LOGIN_REFUSED_LONG_SECONDS": "5"})
BATCHES = (COMMON_BATCH, *SEPARATE_BATCHES)


class BatchRun:
    """Runs a batch; each row's future gets its case, or the error."""

    def __init__(self, batch: Batch, wanted: Collection[Row], data_dir: Path) -> None:
        self._batch = batch
        self._data_dir = data_dir
        groups = [tuple(row for row in group if row in wanted) for group in batch.rows()]
        self._groups = [group for group in groups if group]
        self.futures: dict[Row, Future[Case]] = {
            row: Future() for group in self._groups for row in group
        }

    def run(self) -> None:
        """Run all groups. Never raises: every row's future gets a result or an error."""
        try:
            with ExitStack() as stack:
                self._run(self._product(stack))
        except Exception as error:
            for row, future in self.futures.items():
                if not future.done():
                    # A new exception for each row: a shared one collects tracebacks.
                    future.set_exception(AssertionError(f"{row} was not run: {error!r}"))

    def _product(self, stack: ExitStack) -> list[list[Case]]:
        """Start a product with an organization for each row and each neighbour."""
        folder, disk = self._data_dir / "auth_sessions", None
        if self._batch.needs_disk:
            disk = stack.enter_context(disks.SmallDisk(folder, megabytes=64))
            folder = disk.outside_path(folder)
        prefix = disk.prefix if disk else ()
        application = Application(self._data_dir, prefix, **self._batch.environment)
        stack.enter_context(application)
        names = [f"{row} {n}" for row in self.futures for n in range(1 + row.neighbours)]
        ids = iter(application.new_organizations(*names))

        def case(row: Row) -> Case:
            created = Case(application, row, next(ids))
            created.folder, created.disk = folder / str(created.organization), disk
            created.neighbours = [Case(application, row, next(ids)) for _ in range(row.neighbours)]
            return created

        return [[case(row) for row in group] for group in self._groups]

    def _run(self, groups: list[list[Case]]) -> None:
        if not self._batch.parallel:
            for group in groups:
                for case in group:
                    prepare(case)
                self._run_group(group)
            return
        cases = [case for group in groups for case in group]
        # Pairings come last, one by one: a new connection at the simulator is then the last one's.
        with ThreadPoolExecutor(1 if self._batch.in_order else 6) as pool:
            list(pool.map(prepare, [c for c in cases if c.row.phase == Phase.LINKED]))
        for case in cases:
            if case.row.phase == Phase.PAIRING:
                prepare(case)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._run_group, groups))

    def _run_group(self, group: list[Case]) -> None:
        outcome = run(group)
        for case in group:
            if (error := outcome[case.row]) is not None:
                self.futures[case.row].set_exception(error)
            else:
                self.futures[case.row].set_result(case)
