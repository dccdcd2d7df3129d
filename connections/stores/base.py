"""Declares what every store backend can do, folders and PostgreSQL schemas alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import NamedTuple

from connections.stores.errors import StoreDamaged, StoreUnusable

SECRETS_TABLE = "whatsmeow_message_secrets"
SECRETS_LIMIT = 500

StoreKey = tuple[int, str]
"""An organization's id, and the name of one of its stores."""


class MessageSecret(NamedTuple):
    """A message that the library has decrypted, or was about to send."""

    row: int
    chat: str
    sender: str
    message_id: str
    secret: bytes


class StoreBackend(ABC):
    """The stores of all organizations. A store has the same name in every backend.

    Any method may raise StoreUnavailable, when the backend is a database that does not answer.
    """

    @abstractmethod
    def close(self) -> None:
        """Close open connections. The backend can be used again afterwards."""

    @abstractmethod
    def check(self) -> None:
        """Check that organizations cannot find each other's stores. Raises StoresNotIsolated.

        Never raises StoreUnavailable.
        """

    @abstractmethod
    def database(self, organization_id: int, store: str) -> str:
        """Return a store's address for a host: a file's path, or a URL that may hold a password."""

    @abstractmethod
    def create(self, organization_id: int, store: str, template: bytes = b"") -> str:
        """Make an empty store for a pairing and return its address. Raises OSError.

        `template`: the file of a store that has its tables, where stores are files.
        """

    @abstractmethod
    def exists(self, organization_id: int, store: str) -> bool:
        """Return whether the store exists and was ever opened."""

    @abstractmethod
    def linked_number(self, organization_id: int, store: str) -> str:
        """Return the number (digits) whose credentials a store holds, "" for none.

        Raises StoreDamaged, StoreUnusable.
        """

    @abstractmethod
    def linked_lid(self, organization_id: int, store: str) -> str:
        """Return that number's LID (digits), "" for none.

        Raises StoreDamaged, StoreUnusable.
        """

    @abstractmethod
    def sent_message_id(self, organization_id: int, store: str, secret: bytes) -> str | None:
        """Return WhatsApp's id of the message that was sent with a secret of our own, "" for none.

        The library stores both right before it sends, and deletes them with the device: None when
        the store or its device is gone, as then nobody can tell. Raises StoreDamaged,
        StoreUnusable.
        """

    @abstractmethod
    def newest_secret(self, organization_id: int, store: str) -> int:
        """Return the number of the newest message secret in a store, 0 for none.

        The numbers grow, and a store that is moved keeps them. Raises StoreDamaged, StoreUnusable.
        """

    def newest_secrets(
        self, stores: Collection[StoreKey]
    ) -> dict[StoreKey, int | StoreDamaged | StoreUnusable]:
        """Return what `newest_secret` returns or raises for each of these stores."""
        found: dict[StoreKey, int | StoreDamaged | StoreUnusable] = {}
        for key in stores:
            try:
                found[key] = self.newest_secret(*key)
            except (StoreDamaged, StoreUnusable) as error:
                found[key] = error
        return found

    @abstractmethod
    def message_secrets(
        self, organization_id: int, store: str, after: int, upto: int
    ) -> list[MessageSecret]:
        """Return the messages whose secrets have these numbers, oldest first, at most 500.

        Raises StoreDamaged, StoreUnusable.
        """

    @abstractmethod
    def organizations(self) -> set[int]:
        """Return the organizations that have stores."""

    @abstractmethod
    def stores(self, organization_id: int) -> set[str]:
        """Return the names of an organization's stores."""

    @abstractmethod
    def discard(self, organization_id: int, store: str) -> None:
        """Remove the store of an attempt that linked no phone. Raises OSError."""

    @abstractmethod
    def discard_others(self, organization_id: int, keep: Collection[str]) -> None:
        """Remove all stores but `keep`: replaced ones, and those of failed attempts.

        Raises OSError.
        """

    @abstractmethod
    def delete(self, organization_id: int) -> bool:
        """Delete all stores of an organization. Return whether there was one. Raises OSError."""
