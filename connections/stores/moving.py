"""Moving organizations' credentials from one place to the other, with nothing lost on the way.

Of one organization: its stores are copied aside, each copy is read again and compared with what it
was made of, then all of them appear in their new place in one step, and only then the old ones go.
Whatever interrupts it, one of the two places has everything, and the same command goes on.

A copy carries the digest of what it was made of. A second run finds credentials in both places when
the first one was interrupted before the old ones were gone; the digests tell which of the two was
used since then. When both were, a person has to say which is right, so nothing is touched.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from connections.stores.base import StorePlace

Value = str | int | bytes | None
Row = Sequence[Value]
# Makes or updates a store's tables, by its address; says what failed.
Prepare = Callable[[str], str]
# The tables that others refer to come first.
FIRST = ("whatsmeow_version", "whatsmeow_device", "whatsmeow_app_state_version")


class NotMoved(Exception):
    """An organization's credentials stay where they are; the text says why."""


class Tables(Protocol):
    """The tables of one store."""

    def columns(self) -> dict[str, list[str]]:
        """Return the tables and their columns, in the order of their names."""
        ...

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Row]:
        """Yield all rows; a boolean is 0 or 1."""
        ...

    def fill(self, table: str, columns: Sequence[str], rows: Iterator[Row]) -> None:
        """Replace all rows."""
        ...


class CopyPlace(StorePlace):
    """A place whose stores can be copied, from it and to it."""

    @abstractmethod
    def aside(self, organization_id: int, store: str) -> str:
        """Make an empty store that is not visible yet. Return its address. Raises OSError."""

    @abstractmethod
    def tables(
        self, organization_id: int, store: str, aside: bool = False
    ) -> AbstractContextManager[Tables]:
        """Open a store's tables; changes are kept when the block ends without an error."""

    @abstractmethod
    def publish(self, organization_id: int, origins: dict[str, str]) -> None:
        """Make the copies of these stores visible, each with the digest of its original."""

    @abstractmethod
    def origin(self, organization_id: int, store: str) -> str:
        """Return the digest of a copy's original, "" when the store is no copy."""

    @abstractmethod
    def sweep(self) -> None:
        """Remove the invisible copies of an interrupted move."""


@dataclass(frozen=True)
class Moved:
    """What was moved of an organization."""

    stores: int
    rows: int


def move(
    organization_id: int,
    source: CopyPlace,
    target: CopyPlace,
    prepare: Prepare,
    alone: Callable[[], None] = lambda: None,
) -> Moved:
    """Move an organization's stores. Raises NotMoved, Damaged, Unusable, Away, OSError.

    `alone` raises when a worker may use them; it is called before each step that could harm.
    """
    origins: dict[str, str] = {}
    stores = count = 0
    for store in sorted(source.stores(organization_id)):
        if not source.exists(organization_id, store):
            continue  # No phone was ever linked there, nor can one be any more.
        _prepare(prepare, source.database(organization_id, store))
        with source.tables(organization_id, store) as tables:
            origin, rows = digest(tables)
        stores, count = stores + 1, count + rows
        if not _is_copied(organization_id, store, source=origin, target=target):
            _copy(organization_id, store, source, target, prepare, origin)
            origins[store] = origin
    alone()
    if origins:
        target.publish(organization_id, origins)
    alone()
    source.delete(organization_id)
    return Moved(stores, count)


def _is_copied(organization_id: int, store: str, source: str, target: CopyPlace) -> bool:
    """Return whether the target has the source's content, or a later one. Raises NotMoved."""
    if not target.exists(organization_id, store):
        return False
    origin = target.origin(organization_id, store)
    if origin == source:
        return True  # Only the new ones can have been used since.
    with target.tables(organization_id, store) as tables:
        found, _ = digest(tables)
    if found == source:
        return True
    if found == origin:
        return False  # Only the old ones were used since.
    raise NotMoved(
        f"{store} is in both places, and both were used since it was copied. Remove the one that "
        "is not right."
    )


def _copy(
    organization_id: int,
    store: str,
    source: CopyPlace,
    target: CopyPlace,
    prepare: Prepare,
    origin: str,
) -> None:
    """Copy a store aside, and compare. Raises NotMoved."""
    _prepare(prepare, target.aside(organization_id, store))
    with (
        source.tables(organization_id, store) as old,
        target.tables(organization_id, store, aside=True) as new,
    ):
        columns = old.columns()
        if columns != new.columns():
            raise NotMoved(f"{store} has other tables or columns than this version makes.")
        for table in sorted(columns, key=lambda name: FIRST.index(name) if name in FIRST else 9):
            new.fill(table, columns[table], old.rows(table, columns[table]))
    with target.tables(organization_id, store, aside=True) as tables:
        found, _ = digest(tables)
    if found != origin:
        raise NotMoved(f"The copy of {store} is not what it was made of. Is it in use?")


def _prepare(prepare: Prepare, address: str) -> None:
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
