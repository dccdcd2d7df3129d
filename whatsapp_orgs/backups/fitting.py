"""Whether a backup fits this installation; each misfit is a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from packaging.version import InvalidVersion, Version

from whatsapp_orgs import __version__
from whatsapp_orgs.backups.errors import Damaged
from whatsapp_orgs.backups.keys import missing_keys

KINDS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
KNOWN = {
    "product": str,
    "neonize": str,
    "made_at": str,
    "database": dict,
    "migrations": list,
    "key_checks": dict,
    "used_keys": list,
}


def check_manifest(manifest: dict[str, Any]) -> None:
    """Raise Damaged for a manifest without what every backup has."""
    for name, kind in KNOWN.items():
        if not isinstance(manifest.get(name), kind):
            raise Damaged(f"this backup is damaged: its manifest has no {name}")


def misfits(manifest: dict[str, Any]) -> Iterator[str]:
    """Yield why a backup cannot be restored here."""
    yield from _newer(manifest["product"], __version__, "this product")
    yield from _newer(manifest["neonize"], version("neonize"), "neonize")
    here = "postgresql" if settings.DATABASE_URL else "sqlite"
    kind = manifest["database"].get("kind")
    if kind != here:
        yield (
            f"it is of {KINDS.get(kind, kind)}, and this installation uses {KINDS[here]}: restore "
            f"it with {'an empty DATABASE_URL' if kind == 'sqlite' else 'a DATABASE_URL'}; from "
            "SQLite to PostgreSQL see docs/operations.md"
        )
    known = set(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)
    unknown = sorted(
        f"{app}.{name}" for app, name in manifest["migrations"] if (app, name) not in known
    )
    if unknown:
        names = ", ".join(unknown)
        yield f"this version does not know its migrations {names}: install the newer one"


def misfits_of_keys(manifest: dict[str, Any], end: dict[str, Any]) -> Iterator[str]:
    """Yield which keys are missing here."""
    used = [*manifest["used_keys"], *end.get("file_keys", ())]
    missing = missing_keys(manifest["key_checks"], used)
    if missing:
        yield f"its texts and secrets cannot be read here without {' and '.join(missing)}"


def _newer(there: str, here: str, what: str) -> Iterator[str]:
    try:
        newer = Version(there) > Version(here)
    except InvalidVersion:
        newer = True
    if newer:
        yield f"it was made with {what} {there}, and here is {here}: install that version first"
