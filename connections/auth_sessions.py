"""Where an organization's credentials live: `auth_sessions/<organization id>/<store>/`.

A pairing gets a store of its own, so it can never start on old credentials; when the phone is
linked, that store becomes the organization's. Only an explicit disconnect deletes the folder.
"""

import logging
import secrets
import shutil
import sqlite3
from collections.abc import Collection
from contextlib import closing, suppress
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)

DATABASE = "whatsmeow.sqlite3"


class Damaged(Exception):
    """What lies in a store is not a whole database any more."""


class Unusable(Exception):
    """A store cannot be opened at the moment: the disk or the rights to it."""


def folder(organization_id: int) -> Path:
    """The organization's folder, which may not exist."""
    return Path(settings.AUTH_SESSIONS_DIR) / str(int(organization_id))


def database(organization_id: int, store: str) -> Path:
    """The database file of a store, which may not exist."""
    return folder(organization_id) / store / DATABASE


def create(organization_id: int, store: str) -> Path:
    """A fresh, empty store for a pairing. Returns its database path. Raises OSError."""
    root = Path(settings.AUTH_SESSIONS_DIR)
    for path in (root, folder(organization_id)):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder(organization_id) / store
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(mode=0o700)
    return path / DATABASE


def exists(organization_id: int, store: str) -> bool:
    """Whether the store's database is there."""
    return bool(store) and database(organization_id, store).is_file()


def linked_number(organization_id: int, store: str) -> str:
    """The number (digits) whose credentials lie in a store, or "" when no phone is linked there.

    Raises Damaged, Unusable.
    """
    path = database(organization_id, store)
    try:
        if not path.is_file():
            return ""
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)) as db:
            row = db.execute("SELECT jid FROM whatsmeow_device LIMIT 1").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return ""  # whatsmeow was ended before it had made its tables
        raise Unusable(str(error)) from error
    except sqlite3.DatabaseError as error:
        raise Damaged(str(error)) from error
    except OSError as error:
        raise Unusable(error.strerror) from error
    # 5511999990000:3@s.whatsapp.net or 5511999990000.0:3@s.whatsapp.net
    return str(row[0]).partition("@")[0].partition(":")[0].partition(".")[0] if row else ""


def stores(organization_id: int) -> set[str]:
    """The names of the stores in the organization's folder."""
    try:
        return {path.name for path in folder(organization_id).iterdir() if path.is_dir()}
    except FileNotFoundError:
        return set()


def discard(organization_id: int, store: str) -> None:
    """Remove the store of an attempt that linked no phone."""
    path = folder(organization_id) / store
    if path.is_dir():
        shutil.rmtree(path)
    _leave_no_empty_folder(organization_id)


def discard_others(organization_id: int, keep: Collection[str]) -> None:
    """Remove all stores but these: what they have replaced, and attempts that came to nothing."""
    if not folder(organization_id).is_dir():
        return
    for path in folder(organization_id).iterdir():
        if path.name not in keep:
            shutil.rmtree(path)
    _leave_no_empty_folder(organization_id)


def _leave_no_empty_folder(organization_id: int) -> None:
    with suppress(OSError):  # There are credentials in it, or it is gone already.
        folder(organization_id).rmdir()


def delete(organization_id: int) -> bool:
    """Delete the organization's folder. Returns whether there was one. Raises OSError.

    It is renamed first, so that half-deleted credentials are never taken for whole ones. What an
    earlier try could not delete goes too.
    """
    path = folder(organization_id)
    with suppress(FileNotFoundError):
        path.rename(path.with_name(f".deleted-{path.name}-{secrets.token_hex(4)}"))
    doomed = list(path.parent.glob(f".deleted-{path.name}-*"))
    for left in doomed:
        shutil.rmtree(left)
    return bool(doomed)
