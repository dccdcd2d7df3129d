"""A store backend in memory."""

from __future__ import annotations

from collections.abc import Collection

from connections.stores import StoreBackend, StoreDamaged
from connections.stores.base import MessageSecret
from connections.tests.support.fake_client import Key


class FakeStores(StoreBackend):
    """A store backend in memory."""

    def __init__(self) -> None:
        self.content: dict[Key, str] = {}  # to the number in it, "" before a phone is linked
        self.damaged: set[Key] = set()

    def remove(
        self, organization: int, keep: Collection[str] = frozenset(), only: str = ""
    ) -> None:
        """Remove stores of an organization: only one, or all but `keep`."""
        for key in list(self.content):
            if key[0] == organization and key[1] not in keep and only in ("", key[1]):
                del self.content[key]
                self.damaged.discard(key)

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def check(self) -> None:
        """Do nothing: each store has a key of its own."""

    def database(self, organization_id: int, store: str) -> str:
        return f"{organization_id} {store}"

    def create(self, organization_id: int, store: str, template: bytes = b"") -> str:
        self.remove(organization_id, only=store)
        self.content[organization_id, store] = ""
        return f"{organization_id} {store}"

    def exists(self, organization_id: int, store: str) -> bool:
        return (organization_id, store) in self.content

    def linked_number(self, organization_id: int, store: str) -> str:
        if (organization_id, store) in self.damaged:
            raise StoreDamaged
        return self.content.get((organization_id, store), "")

    def linked_lid(self, organization_id: int, store: str) -> str:
        return ""

    def sent_message_id(self, organization_id: int, store: str, secret: bytes) -> str:
        return ""

    def newest_secret(self, organization_id: int, store: str) -> int:
        return 0

    def message_secrets(
        self, organization_id: int, store: str, after: int, upto: int
    ) -> list[MessageSecret]:
        return []

    def organizations(self) -> set[int]:
        return {organization for organization, _ in self.content}

    def stores(self, organization_id: int) -> set[str]:
        return {store for organization, store in self.content if organization == organization_id}

    def discard(self, organization_id: int, store: str) -> None:
        self.remove(organization_id, only=store)

    def discard_others(self, organization_id: int, keep: Collection[str]) -> None:
        self.remove(organization_id, keep)

    def delete(self, organization_id: int) -> bool:
        found = bool(self.stores(organization_id))
        self.remove(organization_id)
        return found
