"""Where an organization's credentials live: in folders, or in schemas of a PostgreSQL.

A pairing gets a store of its own, so it can never start on old credentials; when the phone is
linked, that store becomes the organization's. Only an explicit disconnect deletes all of them.

The setting AUTH_SESSIONS says where; what each function does is said in `Stores`.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from connections.auth_sessions.errors import Away, Damaged, Misdirected, Unusable
from connections.auth_sessions.stores import Stores

__all__ = ["Away", "Damaged", "Misdirected", "Unusable"]


def place(name: str) -> Stores:
    """The stores in "folders" or in the "database"."""
    if name == "folders":
        from connections.auth_sessions.folders import Folders

        return Folders(Path(settings.AUTH_SESSIONS_DIR))
    return _schemas(settings.AUTH_SESSIONS_URL)


@lru_cache(maxsize=1)
def _schemas(url: str) -> Stores:
    # Only whoever needs it loads a driver of PostgreSQL.
    from connections.auth_sessions.schemas import Schemas

    return Schemas(url)


def _here() -> Stores:
    return place(settings.AUTH_SESSIONS)


def check() -> None:
    """Whether credentials can be where they should be, as far as that can be told now.

    Raises Misdirected.
    """
    with suppress(Away):
        _here().check()


def database(organization_id: int, store: str) -> str:
    """The address of a store, as a host takes it. It may hold a password."""
    return _here().database(organization_id, store)


def create(organization_id: int, store: str, blank: bytes = b"") -> str:
    """A fresh store for a pairing. Returns its address. Raises OSError, Away.

    `blank`: the file of a store that has its tables, where stores are files; b"" for none.
    """
    return _here().create(organization_id, store, blank)


def exists(organization_id: int, store: str) -> bool:
    """Whether the store is there and was ever opened. Raises Away."""
    return _here().exists(organization_id, store)


def linked_number(organization_id: int, store: str) -> str:
    """The number (digits) whose credentials lie in a store, or "" when no phone is linked there.

    Raises Damaged, Unusable, Away.
    """
    return _here().linked_number(organization_id, store)


def stores(organization_id: int) -> set[str]:
    """The names of the organization's stores. Raises Away."""
    return _here().stores(organization_id)


def discard(organization_id: int, store: str) -> None:
    """Remove the store of an attempt that linked no phone. Raises OSError, Away."""
    _here().discard(organization_id, store)


def discard_others(organization_id: int, keep: Collection[str]) -> None:
    """Remove all stores but these: what they have replaced, and attempts that came to nothing.

    Raises OSError, Away.
    """
    _here().discard_others(organization_id, keep)


def delete(organization_id: int) -> bool:
    """Delete all of an organization's stores. Whether there was one. Raises OSError, Away."""
    return _here().delete(organization_id)
