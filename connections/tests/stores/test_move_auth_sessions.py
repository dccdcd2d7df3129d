"""Moves of credentials between folders and PostgreSQL lose nothing, even when interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connections.stores.base import SECRETS_TABLE
from connections.stores.folder_copies import FolderCopyBackend
from connections.stores.moving import CopyBackend, NotMoved, move
from connections.stores.schema_copies import SchemaCopyBackend
from connections.tests.support.store_backends import DatabaseStores, database, postgres
from connections.tests.support.whatsmeow_store import (
    digest_of,
    insert_secret,
    secrets_of,
    use_store,
    write,
    write_secrets,
)
from connections.worker.hosts.store_template import StorePreparer

__all__ = ["database", "postgres"]

pytestmark = pytest.mark.sqlite_only

STORE, OTHER = "attempt-3", "attempt-12"
STEPS = ("prepare", "stage", "tables", "publish", "delete")

Backends = dict[str, CopyBackend]


@pytest.fixture(scope="module")
def prepare() -> Iterator[StorePreparer]:
    with StorePreparer() as running:
        yield running


@pytest.fixture
def backends(tmp_path: Path, database: DatabaseStores) -> Iterator[Backends]:
    found: Backends = {
        "folders": FolderCopyBackend(tmp_path / "auth_sessions"),
        "database": SchemaCopyBackend(database.url),
    }
    yield found
    for backend in found.values():
        backend.close()


def source_and_target(backends: Backends, to: str) -> tuple[CopyBackend, CopyBackend]:
    source, target = sorted(backends, key=lambda name: name == to)
    return backends[source], backends[target]


@pytest.mark.parametrize("to", ["database", "folders"])
def test_move_copies_all_stores_and_deletes_the_source(
    backends: Backends, prepare: StorePreparer, to: str
) -> None:
    source, target = source_and_target(backends, to)
    write(source, 7, STORE)
    write(source, 7, OTHER, prekeys=1)
    source.create(7, "attempt-99")
    write(source, 77, STORE)
    old = {store: digest_of(source, 7, store) for store in (STORE, OTHER)}
    moved = move(7, source, target, prepare)
    assert (moved.stores, moved.rows) == (2, 900 + 7 + 1 + 7)
    assert target.stores(7) == {STORE, OTHER}
    assert {store: digest_of(target, 7, store) for store in (STORE, OTHER)} == old
    assert target.linked_number(7, STORE) == "5511987654321"
    assert source.organizations() == {77}


@pytest.mark.parametrize("to", ["database", "folders"])
def test_move_there_and_back_restores_the_content(
    backends: Backends, prepare: StorePreparer, to: str
) -> None:
    source, target = source_and_target(backends, to)
    write(source, 7, STORE)
    old = digest_of(source, 7, STORE)
    move(7, source, target, prepare)
    move(7, target, source, prepare)
    assert digest_of(source, 7, STORE) == old
    assert target.organizations() == set()


@pytest.mark.parametrize("to", ["database", "folders"])
def test_moved_message_secrets_keep_their_numbers(
    backends: Backends, prepare: StorePreparer, to: str
) -> None:
    """The messages that were compared are known by them: others would be taken for lost."""
    source, target = source_and_target(backends, to)
    write(source, 7, STORE, prekeys=1)
    write_secrets(source, 7, STORE, range(50, 10, -10))
    move(7, source, target, prepare)
    assert secrets_of(target, 7, STORE) == {number: str(number) for number in (20, 30, 40, 50)}
    schema = "wa_7_attempt_3." if to == "database" else ""
    with target.tables(7, STORE) as tables:
        insert_secret(tables._db, f"{schema}{SECRETS_TABLE}", "next")  # type: ignore[attr-defined]
    assert secrets_of(target, 7, STORE)[51] == "next"


class Killed(BaseException):
    """The process was killed here."""


class Interrupted:
    """Wraps a backend or a StorePreparer; calls `step` before and after each of its steps."""

    def __init__(self, real: Any, step: Callable[[], None]) -> None:
        self._real, self._step = real, step

    def __call__(self, address: str) -> str:
        self._step()
        answer = str(self._real(address))
        self._step()
        return answer

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name not in STEPS:
            return found

        def interrupted(*arguments: Any, **options: Any) -> Any:
            self._step()
            answer = found(*arguments, **options)
            self._step()
            return answer

        return interrupted


@pytest.mark.parametrize("to", ["database", "folders"])
def test_move_killed_at_any_step_leaves_one_complete_backend(
    backends: Backends, prepare: StorePreparer, to: str
) -> None:
    source, target = source_and_target(backends, to)
    write(source, 7, STORE, prekeys=20)
    write(source, 7, OTHER, prekeys=10)
    old = {store: digest_of(source, 7, store) for store in (STORE, OTHER)}
    completed, kills = False, 0
    while not completed:
        left = [kills]

        def step(left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Killed

        killed_source: Any = Interrupted(source, step)
        killed_target: Any = Interrupted(target, step)
        try:
            move(7, killed_source, killed_target, Interrupted(prepare, step))
            completed = True
        except Killed:
            kills += 1
        complete = [
            backend
            for backend in (source, target)
            if backend.stores(7) == set(old)
            and {store: digest_of(backend, 7, store) for store in old} == old
        ]
        assert complete, f"credentials were lost at step {kills}"
        if target in complete and not completed:
            assert source.stores(7) in (set(), set(old))
    assert kills >= 10, "the move was not interrupted at all its steps"
    assert target.stores(7) == set(old) and source.stores(7) == set()


@pytest.mark.parametrize("to", ["database", "folders"])
def test_second_run_keeps_the_store_that_was_used_since(
    backends: Backends, prepare: StorePreparer, to: str
) -> None:
    """The first run was killed before it deleted the source; then the service ran."""
    source, target = source_and_target(backends, to)

    def move_without_delete() -> None:
        write(source, 7, STORE, prekeys=5)
        killed: Any = Interrupted(source, lambda: None)
        killed.delete = lambda organization: (_ for _ in ()).throw(Killed())
        with pytest.raises(Killed):
            move(7, killed, target, prepare)

    move_without_delete()
    use_store(source, 7, STORE, 1000)
    newer = digest_of(source, 7, STORE)
    move(7, source, target, prepare)
    assert digest_of(target, 7, STORE) == newer, "the source was used"

    target.delete(7)
    move_without_delete()
    use_store(target, 7, STORE, 2000)
    newer = digest_of(target, 7, STORE)
    move(7, source, target, prepare)
    assert digest_of(target, 7, STORE) == newer, "the target was used"

    target.delete(7)
    move_without_delete()
    use_store(source, 7, STORE, 3000)
    use_store(target, 7, STORE, 4000)
    with pytest.raises(NotMoved, match="both were used"):
        move(7, source, target, prepare)
    assert source.stores(7) == target.stores(7) == {STORE}


@pytest.mark.parametrize("to", ["database", "folders"])
def test_copy_that_differs_from_its_source_is_not_published(
    backends: Backends, prepare: StorePreparer, to: str
) -> None:
    source, target = source_and_target(backends, to)
    write(source, 7, STORE, prekeys=5)

    def prepare_and_use_source(address: str) -> str:
        answer = prepare(address)
        if address != source.database(7, STORE):
            use_store(source, 7, STORE, 1000)
        return answer

    with pytest.raises(NotMoved, match="in use"):
        move(7, source, target, prepare_and_use_source)
    assert target.organizations() == set() and source.stores(7) == {STORE}


@pytest.mark.parametrize("to", ["database", "folders"])
def test_worker_that_starts_during_the_move_stops_it(
    backends: Backends, prepare: StorePreparer, to: str
) -> None:
    """It may have opened the source."""
    source, target = source_and_target(backends, to)
    write(source, 7, STORE, prekeys=5)
    old = digest_of(source, 7, STORE)
    for steps in (0, 1):
        left = iter(range(steps))

        def ensure_no_worker(left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise Killed

        with pytest.raises(Killed):
            move(7, source, target, prepare, ensure_no_worker)
        assert digest_of(source, 7, STORE) == old
    move(7, source, target, prepare)
    assert digest_of(target, 7, STORE) == old and source.stores(7) == set()
