"""Store organizations' WhatsApp credentials in folders, or in schemas of a PostgreSQL.

A pairing gets a store of its own, so it can never start on old credentials; when the phone is
linked, that store becomes the organization's. Only an explicit disconnect deletes all of them.

`StoreBackend` (base.py) declares what a backend can do.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from connections.stores.base import StoreBackend
from connections.stores.errors import (
    StoreDamaged,
    StoresNotIsolated,
    StoreUnavailable,
    StoreUnusable,
)

__all__ = [
    "StoreUnavailable",
    "StoreDamaged",
    "StoresNotIsolated",
    "StoreBackend",
    "StoreUnusable",
    "store_backend",
]


def store_backend() -> StoreBackend:
    """Return the backend that the setting AUTH_SESSIONS names."""
    if settings.AUTH_SESSIONS == "database":
        return _schema_backend(settings.AUTH_SESSIONS_URL)
    from connections.stores.folders import FolderBackend

    return FolderBackend(Path(settings.AUTH_SESSIONS_DIR))


@lru_cache(maxsize=1)
def _schema_backend(url: str) -> StoreBackend:
    """Return the one backend for a URL: it pools connections."""
    from connections.stores.schemas import SchemaBackend

    return SchemaBackend(url)
