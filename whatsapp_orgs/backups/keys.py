"""Which keys a backup needs. The keys themselves are never in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from django.apps import apps

from organizations.encryption import DERIVED_KEY_ID, EncryptedJSONField, Undecryptable, decrypt


def encrypted_columns() -> Iterator[tuple[str, str]]:
    """Yield the table and the name of each encrypted column."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedJSONField) and field.column:
                yield model._meta.db_table, field.column


def used_keys(
    columns: Mapping[str, Sequence[str]], read: Callable[[str], Iterable[str]], prefix: str
) -> list[str]:
    """Return the ids of the keys that a database's values name.

    `columns`: of all its tables. `read`: returns the first column of a query. `prefix`: SQL for
    what is before the colon in a column, which takes the place of {}.
    """
    found: set[str] = set()
    for table, column in encrypted_columns():
        if column in columns.get(table, ()):
            ids = prefix.format(f'"{column}"')
            found.update(read(f'SELECT DISTINCT {ids} FROM "{table}" WHERE "{column}" IS NOT NULL'))
    if "otp_totp_totpdevice" in columns and list(read("SELECT 1 FROM otp_totp_totpdevice LIMIT 1")):
        found.add(DERIVED_KEY_ID)  # Second factors are encrypted with SECRET_KEY.
    return sorted(found)


def missing_keys(checks: Mapping[str, Sequence[str]], used: Iterable[str]) -> list[str]:
    """Return what this installation lacks to read what a backup's keys have encrypted.

    `checks`: as `key_checks` returns them. A key that the backed up installation did not have
    either is no reason.
    """
    missing = []
    for key_id in sorted(set(used)):
        for number, check in enumerate(checks.get(key_id, ())):
            if not _opens(check):
                missing.append(_description(key_id, number))
    return missing


def _opens(check: str) -> bool:
    try:
        decrypt(check)
    except Undecryptable:
        return False
    return True


def _description(key_id: str, number: int) -> str:
    if key_id != DERIVED_KEY_ID:
        return f"the key {key_id!r} of DATA_KEYS"
    if number == 0:
        return (
            f"its SECRET_KEY (the key id {key_id!r}; of one machine: the file DATA_DIR/secret_key)"
        )
    return f"its older SECRET_KEY number {number} (the key id {key_id!r}), in SECRET_KEY_FALLBACKS"
