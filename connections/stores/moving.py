"""Moves organizations' credentials from one backend to the other and loses nothing on the way.

For each organization: copy its stores to a staging area, read each copy again and compare it with
its source, publish all copies in one step, and only then delete the source. Whatever interrupts
it, one of the two backends has everything, and running the same command again completes it.

A copy carries the digest of its source. A second run finds credentials in both backends when the
first one was interrupted before it deleted the source; the digests tell which of the two was used
since then. When both were, a person has to decide, so nothing is touched.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from connections.stores.base import SECRETS_TABLE, StoreBackend

Value = str | int | bytes | None
Row = Sequence[Value]
# Creates or updates the tables of the store at an address; returns the error, "" for none.
PrepareStore = Callable[[str], str]
# Other tables have foreign keys to these.
PARENT_TABLES = ("whatsmeow_version", "whatsmeow_device", "whatsmeow_app_state_version")


class NotMoved(Exception):
    """An organization's credentials stay where they are; the text says why."""


class Tables(Protocol):
    """The tables of one store."""

    number_column: str
    """The column with the numbers of message secrets, which `columns` leaves out."""

    def has_numbers(self) -> bool:
        """Return whether message secrets are numbered."""
        ...

    def columns(self) -> dict[str, list[str]]:
        """Return the tables and their columns, in the order of their names."""
        ...

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Row]:
        """Yield all rows; a boolean is 0 or 1."""
        ...

    def fill(self, table: str, columns: Sequence[str], rows: Iterator[Row]) -> None:
        """Replace all rows. Numbers message secrets when `number_column` is given."""
        ...


def copy_table(old: Tables, new: Tables, table: str, columns: Sequence[str]) -> None:
    """Replace a table's rows by those of another store. Message secrets keep their numbers.

    The messages that were compared with them are known by these (`Outbox.checked_secrets`).
    """
    if table == SECRETS_TABLE and old.has_numbers():
        rows = old.rows(table, [*columns, old.number_column])
        new.fill(table, [*columns, new.number_column], rows)
    else:
        new.fill(table, columns, old.rows(table, columns))


class CopyBackend(StoreBackend):
    """A backend whose stores can be copied, from it and to it."""

    @abstractmethod
    def stage(self, organization_id: int, store: str) -> str:
        """Create an empty store that is not visible yet. Return its address. Raises OSError."""

    @abstractmethod
    def tables(
        self, organization_id: int, store: str, staged: bool = False
    ) -> AbstractContextManager[Tables]:
        """Open a store's tables in a transaction; an error in the block rolls it back."""

    @abstractmethod
    def publish(self, organization_id: int, digests: dict[str, str]) -> None:
        """Make the copies of these stores visible, each with the digest of its source."""

    @abstractmethod
    def source_digest(self, organization_id: int, store: str) -> str:
        """Return the digest of a copy's source, "" when the store is no copy."""

    @abstractmethod
    def remove_staged(self) -> None:
        """Remove the staged copies of an interrupted move."""


@dataclass(frozen=True)
class MoveResult:
    """How many stores and rows of an organization were moved."""

    stores: int
    rows: int


def move(
    organization_id: int,
    source: CopyBackend,
    target: CopyBackend,
    prepare: PrepareStore,
    ensure_no_worker: Callable[[], None] = lambda: None,
) -> MoveResult:
    """Move an organization's stores.

    `ensure_no_worker` raises when a worker may use them; it is called before each destructive step.
    Raises NotMoved, StoreDamaged, StoreUnusable, StoreUnavailable, OSError.
    """
    digests: dict[str, str] = {}
    stores = row_count = 0
    for store in sorted(source.stores(organization_id)):
        if not source.exists(organization_id, store):
            continue  # No phone was ever linked in it, and none can be any more.
        _prepare(prepare, source.database(organization_id, store))
        with source.tables(organization_id, store) as tables:
            source_digest, rows = digest(tables)
        stores, row_count = stores + 1, row_count + rows
        if not _is_copied(organization_id, store, source_digest, target):
            _copy(organization_id, store, source, target, prepare, source_digest)
            digests[store] = source_digest
    ensure_no_worker()
    if digests:
        target.publish(organization_id, digests)
    ensure_no_worker()
    source.delete(organization_id)
    return MoveResult(stores, row_count)


def stage_copy(
    organization_id: int,
    store: str,
    source: CopyBackend,
    target: CopyBackend,
    prepare: PrepareStore,
) -> None:
    """Copy a store to the target's staging area, and compare it with its source.

    Raises NotMoved, StoreDamaged, StoreUnusable, StoreUnavailable, OSError.
    """
    _prepare(prepare, source.database(organization_id, store))
    with source.tables(organization_id, store) as tables:
        source_digest, _ = digest(tables)
    _copy(organization_id, store, source, target, prepare, source_digest)


def _is_copied(organization_id: int, store: str, current_digest: str, target: CopyBackend) -> bool:
    """Return whether the target has the source's current content, or newer one. Raises NotMoved.

    `current_digest`: of the source's content.
    """
    if not target.exists(organization_id, store):
        return False
    copied_digest = target.source_digest(organization_id, store)
    if copied_digest == current_digest:
        return True  # The source was not used since it was copied.
    with target.tables(organization_id, store) as tables:
        target_digest, _ = digest(tables)
    if target_digest == current_digest:
        return True
    if target_digest == copied_digest:
        return False  # Only the source was used since it was copied.
    raise NotMoved(
        f"{store} is in both places, and both were used since it was copied. Remove the one that "
        "is not right."
    )


def _copy(
    organization_id: int,
    store: str,
    source: CopyBackend,
    target: CopyBackend,
    prepare: PrepareStore,
    source_digest: str,
) -> None:
    """Copy a store to the staging area and verify the copy. Raises NotMoved."""
    _prepare(prepare, target.stage(organization_id, store))
    with (
        source.tables(organization_id, store) as old,
        target.tables(organization_id, store, staged=True) as new,
    ):
        columns = old.columns()
        if columns != new.columns():
            raise NotMoved(f"{store} has other tables or columns than this version makes.")
        for table in sorted(
            columns, key=lambda name: PARENT_TABLES.index(name) if name in PARENT_TABLES else 9
        ):
            copy_table(old, new, table, columns[table])
    with target.tables(organization_id, store, staged=True) as tables:
        staged_digest, _ = digest(tables)
    if staged_digest != source_digest:
        raise NotMoved(f"The copy of {store} is not what it was made of. Is it in use?")


def _prepare(prepare: PrepareStore, address: str) -> None:
    if failed := prepare(address):
        raise NotMoved(failed)


def digest(tables: Tables) -> tuple[str, int]:
    """Return a hash of a store's content, whatever the order of its rows, and their number."""
    whole, count = hashlib.sha256(), 0
    for table, columns in sorted(tables.columns().items()):
        total = rows = 0
        for row in tables.rows(table, columns):
            total += int.from_bytes(hashlib.sha256(repr(tuple(row)).encode()).digest())
            rows += 1
        whole.update(repr((table, columns, rows, total % 2**256)).encode())
        count += rows
    return whole.hexdigest(), count
