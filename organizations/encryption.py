"""Encryption at rest: texts and files are stored encrypted, with keys outside the database.

A stored value begins with the id of its key, so that keys can be rotated: new values use the first
key of DATA_KEYS, and old ones are read with the key that they name.
"""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from typing import Any, TypeVar

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models

Row = TypeVar("Row", bound=models.Model)

DERIVED_KEY_ID = "secret-key"
"""The id of the key that is derived from SECRET_KEY when DATA_KEYS is empty."""


class Undecryptable(Exception):
    """A stored value needs a key that is not configured, or is damaged."""


def encrypt(plain: bytes) -> str:
    """Return `KEY_ID:TOKEN`: the plaintext encrypted with the first key."""
    key_id, key = next(iter(_keys().items()))
    return f"{key_id}:{key.encrypt(plain).decode()}"


def decrypt(stored: str) -> bytes:
    """Return the plaintext of a stored value. Raises Undecryptable."""
    key_id, _, token = stored.partition(":")
    key = _keys().get(key_id)
    if key is None:
        raise Undecryptable(f"DATA_KEYS has no key {key_id!r}")
    try:
        return key.decrypt(token.encode())
    except InvalidToken as error:
        raise Undecryptable("an encrypted value is damaged, or its key was replaced") from error


def is_current(stored: str) -> bool:
    """Return whether a stored value is encrypted with the key for new values."""
    key_id, _, token = stored.partition(":")
    if key_id != next(iter(_keys())):
        return False
    if key_id != DERIVED_KEY_ID:
        return True
    # Keys of all SECRET_KEYs have this id.
    try:
        Fernet(_derive(settings.SECRET_KEY)).decrypt(token.encode())
    except InvalidToken:
        return False
    return True


def key_checks() -> dict[str, list[str]]:
    """Return stored values by the ids of all keys: where they can be read, the keys are the same.

    The derived key has one for SECRET_KEY, and one for each of SECRET_KEY_FALLBACKS.
    """
    checks = {key_id: [Fernet(key)] for key_id, key in settings.DATA_KEYS.items()}
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    checks[DERIVED_KEY_ID] = [Fernet(_derive(secret_key)) for secret_key in secrets]
    return {
        key_id: [f"{key_id}:{key.encrypt(b'').decode()}" for key in keys]
        for key_id, keys in checks.items()
    }


def _keys() -> dict[str, MultiFernet]:
    """Return the keys by id, the one for new values first."""
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return _load_keys(tuple(settings.DATA_KEYS.items()), secrets)


@lru_cache(maxsize=4)
def _load_keys(
    configured: tuple[tuple[str, str], ...], secret_keys: tuple[str, ...]
) -> dict[str, MultiFernet]:
    # The derived key stays readable after DATA_KEYS has been set for the first time.
    derived = MultiFernet([Fernet(_derive(secret_key)) for secret_key in secret_keys])
    return {
        **{key_id: MultiFernet([Fernet(key)]) for key_id, key in configured},
        DERIVED_KEY_ID: derived,
    }


def _derive(secret_key: str) -> bytes:
    key = HKDF(SHA256(), 32, None, b"data at rest").derive(secret_key.encode())
    return base64.urlsafe_b64encode(key)


class EncryptedJSONField(models.TextField[Any, Any]):
    """A JSON value that is encrypted in the database. It cannot be searched or ordered by."""

    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def get_prep_value(self, value: Any) -> str | None:
        if value is None:
            return None
        return encrypt(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())

    def from_db_value(self, value: str | None, _expression: object, _connection: object) -> Any:
        return None if value is None else json.loads(decrypt(value))

    def to_python(self, value: Any) -> Any:
        return value


def without_encrypted(rows: models.QuerySet[Row]) -> models.QuerySet[Row]:
    """Return rows that are read without their encrypted values: none is decrypted to be deleted.

    So they can be deleted also when the key is gone.
    """
    fields = rows.model._meta.concrete_fields
    return rows.defer(*(each.name for each in fields if isinstance(each, EncryptedJSONField)))
