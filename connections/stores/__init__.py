"""The place of organizations' credentials: folders, or schemas of a PostgreSQL.

A pairing gets a store of its own, so it can never start on old credentials; when the phone is
linked, that store becomes the organization's. Only an explicit disconnect deletes all of them.

`StorePlace` (stores.py) says what a place can do.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from connections.stores.base import StorePlace
from connections.stores.errors import Away, Damaged, Misdirected, Unusable

__all__ = ["Away", "Damaged", "Misdirected", "StorePlace", "Unusable", "store_place"]


def store_place() -> StorePlace:
    """Return the place that the setting AUTH_SESSIONS names."""
    if settings.AUTH_SESSIONS == "database":
        return _schemas(settings.AUTH_SESSIONS_URL)
    from connections.stores.folders import FolderPlace

    return FolderPlace(Path(settings.AUTH_SESSIONS_DIR))


@lru_cache(maxsize=1)
def _schemas(url: str) -> StorePlace:
    """Return the one place for a URL: it keeps connections."""
    from connections.stores.schemas import SchemaPlace

    return SchemaPlace(url)
