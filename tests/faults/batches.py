"""Which rows suffer together, on which product: as many at once as do not disturb each other."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import everyone
from tests.faults.case import Case
from tests.faults.playing import play, prepare
from tests.faults.row import Phase, Row
from tests.faults.table import ROWS
from tests.support.application import Application
from tests.support.faults import disks

AT_ONCE = 12
# They wait most of the time, so they begin first.
SLOW = (
    *("linked-drop_at_login", "linked-drop_after_login", "linked-stream_503_at_login"),
    *("linked-no_pong", "linked-silence", "linked-mute_login", "linked-ban", "pairing-ban"),
)


@dataclass(frozen=True)
class Batch:
    """Groups of rows on a product of their own; the rows of a group suffer one fault together."""

    groups: tuple[str, ...]  # each the names of rows
    at_once: bool = False  # all groups at the same time, rather than one after the other
    in_turn: bool = False  # but prepared one after the other, so that hosts fill up in that order
    environment: dict[str, str] = field(default_factory=dict)
    needs_disk: bool = False

    def rows(self) -> Iterator[tuple[Row, ...]]:
        """The rows of each group."""
        by_name = {str(row): row for row in ROWS}
        for group in self.groups:
            yield tuple(by_name[name] for name in group.split())


QUICK = {"DIAL_TIMEOUT_SECONDS": "4", "OUTDATED_RETRY_SECONDS": str(everyone.PROBE_SECONDS)}

APART = (
    Batch(
        (
            "linked-host_killed",
            "linked-host_stopped",
            "linked-host_memory",
            "linked-failure_413",
            "pairing-host_killed",
            "pairing-host_stopped",
        ),
        at_once=True,
        in_turn=True,
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
_apart = {row for batch in APART for group in batch.rows() for row in group}
_crowd = [str(row) for row in ROWS if row not in _apart]
# Codes last a minute, so pairings come before what can wait.
_crowd.sort(key=lambda name: (name not in SLOW, not name.startswith(Phase.PAIRING)))
CROWD = Batch(tuple(_crowd), at_once=True, environment={"LOGIN_REFUSED_LONG_SECONDS": "5"})
BATCHES = (CROWD, *APART)


class Run:
    """A batch that is being played; each row's future ends with its case, or with what is wrong."""

    def __init__(self, batch: Batch, wanted: Collection[Row], data_dir: Path) -> None:
        self._batch = batch
        self._data_dir = data_dir
        groups = [tuple(row for row in group if row in wanted) for group in batch.rows()]
        self._groups = [group for group in groups if group]
        self.futures: dict[Row, Future[Case]] = {
            row: Future() for group in self._groups for row in group
        }

    def play(self) -> None:
        """All of it. Never raises: every row's future gets an outcome."""
        try:
            with ExitStack() as stack:
                self._play(self._product(stack))
        except Exception as error:
            for row, future in self.futures.items():
                if not future.done():
                    # One of its own for each row: tracebacks grow with each time they are raised.
                    future.set_exception(AssertionError(f"{row} was not played: {error!r}"))

    def _product(self, stack: ExitStack) -> list[list[Case]]:
        """Start a product with an organization for each row and each mate."""
        folder, disk = self._data_dir / "auth_sessions", None
        if self._batch.needs_disk:
            disk = stack.enter_context(disks.SmallDisk(folder, megabytes=64))
            folder = disk.seen(folder)
        prefix = disk.prefix if disk else ()
        application = Application(self._data_dir, prefix, **self._batch.environment)
        stack.enter_context(application)
        names = [f"{row} {n}" for row in self.futures for n in range(1 + row.mates)]
        ids = iter(application.new_organizations(*names))

        def case(row: Row) -> Case:
            made = Case(application, row, next(ids))
            made.folder, made.disk = folder / str(made.organization), disk
            made.mates = [Case(application, row, next(ids)) for _ in range(row.mates)]
            return made

        return [[case(row) for row in group] for group in self._groups]

    def _play(self, groups: list[list[Case]]) -> None:
        if not self._batch.at_once:
            for group in groups:
                for case in group:
                    prepare(case)
                self._settle(group)
            return
        cases = [case for group in groups for case in group]
        # Pairings come last and in turn: what is new at the simulator is then the newest one's.
        with ThreadPoolExecutor(1 if self._batch.in_turn else 6) as pool:
            list(pool.map(prepare, [c for c in cases if c.row.phase == Phase.LINKED]))
        for case in cases:
            if case.row.phase == Phase.PAIRING:
                prepare(case)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._settle, groups))

    def _settle(self, group: list[Case]) -> None:
        outcome = play(group)
        for case in group:
            if (error := outcome[case.row]) is not None:
                self.futures[case.row].set_exception(error)
            else:
                self.futures[case.row].set_result(case)
