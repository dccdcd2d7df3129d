"""What a place for credentials can do, whatever it is made of."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class Stores(Protocol):
    """The stores of all organizations. A store's name is the same in every place.

    Any of these may raise Away, when the place is a database that does not answer.
    """

    def close(self) -> None:
        """Let go of what is open, if anything is; it can be used all the same."""
        ...

    def check(self) -> None:
        """Whether every store would be a place of its own. Raises Misdirected."""
        ...

    def database(self, organization_id: int, store: str) -> str:
        """The address of a store, as a host takes it: a file's path or a PostgreSQL URL."""
        ...

    def create(self, organization_id: int, store: str, blank: bytes = b"") -> str:
        """A fresh store for a pairing. Returns its address. Raises OSError.

        `blank`: the file of a store that has its tables, where stores are files; b"" for none.
        """
        ...

    def exists(self, organization_id: int, store: str) -> bool:
        """Whether the store is there and was ever opened."""
        ...

    def linked_number(self, organization_id: int, store: str) -> str:
        """The number (digits) whose credentials lie in a store, or "" when no phone is linked.

        Raises Damaged, Unusable.
        """
        ...

    def organizations(self) -> set[int]:
        """The organizations that have stores."""
        ...

    def stores(self, organization_id: int) -> set[str]:
        """The names of an organization's stores."""
        ...

    def discard(self, organization_id: int, store: str) -> None:
        """Remove the store of an attempt that linked no phone. Raises OSError."""
        ...

    def discard_others(self, organization_id: int, keep: Collection[str]) -> None:
        """Remove all stores but these: what was replaced, and attempts that came to nothing.

        Raises OSError.
        """
        ...

    def delete(self, organization_id: int) -> bool:
        """Delete all stores of an organization. Whether there was one. Raises OSError."""
        ...
