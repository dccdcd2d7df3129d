"""What a backup takes of the database and puts back, whichever database it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from whatsapp_orgs.backups.archive import Block

# Told how much is done, of how much in all, and what that is.
Counted = Callable[[int, int, str], None]
Parts = Iterator[tuple[str, Iterable[Block]]]

COUNTS = {
    "organizations": "SELECT count(*) FROM organizations_organization",
    "users": "SELECT count(*) FROM auth_user",
    "linked": "SELECT count(*) FROM connections_connection WHERE store_name <> ''",
    "messages": "SELECT count(*) FROM messaging_message",
}


class Snapshot(ABC):
    """The database as it was at one moment."""

    @abstractmethod
    def query(self, statement: str) -> Iterator[tuple[Any, ...]]:
        """Yield a query's rows, without holding all of them in memory."""

    @abstractmethod
    def columns(self) -> dict[str, list[str]]:
        """Return all tables and their columns."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return what a restore must know about the database."""

    @abstractmethod
    def parts(self, counted: Counted) -> Parts:
        """Yield the parts of the archive, with their contents."""

    @abstractmethod
    def close(self) -> None:
        """End it: it holds up no change of a table any more, and nothing can be read."""

    def column(self, statement: str) -> Generator[Any, None, None]:
        """Yield the first column of a query."""
        return (row[0] for row in self.query(statement))

    def counts(self) -> dict[str, int]:
        """Return how much is in it, for people."""
        return {name: next(self.column(statement)) for name, statement in COUNTS.items()}

    def migrations(self) -> list[list[str]]:
        """Return the applied migrations, as app and name."""
        found = self.query("SELECT app, name FROM django_migrations ORDER BY app, name")
        return [list(row) for row in found]

    def stores(self) -> dict[int, str]:
        """Return the store of each linked organization."""
        statement = (
            "SELECT organization_id, store_name FROM connections_connection WHERE store_name <> ''"
        )
        return dict(self.query(statement))

    def files(self) -> Generator[str, None, None]:
        """Yield the names of the stored files."""
        return self.column("SELECT stored_as FROM messaging_media WHERE stored_as <> ''")


class Target(ABC):
    """The database of this installation, which gets the content of a backup.

    `fill` and `execute` change nothing that others see before `publish`.
    """

    kind = ""

    @abstractmethod
    def content(self) -> list[str]:
        """Return what it has already, for people; [] for an empty one.

        Raises BackupError if it is in use.
        """

    @abstractmethod
    def restoring(self, manifest: dict[str, Any]) -> AbstractContextManager[None]:
        """Prepare for the content of a backup; what was not published is gone at the end."""

    @abstractmethod
    def fill(self, name: str, content: Iterable[bytes]) -> None:
        """Take a part of the archive."""

    @abstractmethod
    def execute(self, statement: str) -> int:
        """Execute a statement on the new content. Return how many rows it changed."""

    @abstractmethod
    def publish(self) -> None:
        """Replace what was there by the new content, in one step."""
