"""Encrypts stored texts and files anew, with the key for new ones, so that an old key can go.

The service may run meanwhile: a row that changes at the same time is left as it has become, and the
old copy of a file stays until messaging/actions/stray_files.py finds that it has no row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.apps import apps
from django.db.models import Model, QuerySet, TextField
from django.db.models.functions import Cast

from messaging import media_files
from messaging.models import Media
from organizations.encryption import EncryptedJSONField, Undecryptable, decrypt, is_current

ROWS_PER_QUERY = 500


@dataclass
class Reencrypted:
    """How many values and files were encrypted anew, and what was not, by column."""

    values: int = 0
    files: int = 0
    unreadable: dict[str, int] = field(default_factory=dict)
    """Values whose key is missing, or that are damaged, and files that are lost, too."""

    def count_unreadable(self, what: str) -> None:
        self.unreadable[what] = self.unreadable.get(what, 0) + 1


def reencrypt() -> Reencrypted:
    """Encrypt everything anew that has another key than new values. Raises StorageUnavailable."""
    result = Reencrypted()
    for model in apps.get_models():
        for column in model._meta.concrete_fields:
            if isinstance(column, EncryptedJSONField):
                _reencrypt_column(model, column, result)
    _reencrypt_files(result)
    return result


def _reencrypt_column(model: type[Model], column: EncryptedJSONField, result: Reencrypted) -> None:
    rows = model._base_manager.annotate(stored=Cast(column.name, TextField()))
    for pk, stored in _values(rows.exclude(stored=None)):
        if is_current(stored):
            continue
        try:
            plain = json.loads(decrypt(stored))
        except Undecryptable:
            result.count_unreadable(f"{model._meta.db_table}.{column.column}")
            continue
        result.values += rows.filter(pk=pk, stored=stored).update(**{column.name: plain})


def _values(rows: QuerySet[Model]) -> Iterator[tuple[int, str]]:
    """Yield the keys of all rows, and what they store."""
    last = 0
    while found := list(
        rows.filter(pk__gt=last).order_by("pk").values_list("pk", "stored")[:ROWS_PER_QUERY]
    ):
        yield from found
        last = found[-1][0]


def _reencrypt_files(result: Reencrypted) -> None:
    names = Media.objects.exclude(stored_as="").order_by("stored_as")
    for name in list(names.values_list("stored_as", flat=True).distinct()):
        try:
            new = media_files.reencrypt(name)
        except (FileNotFoundError, Undecryptable):
            result.count_unreadable("files")
            continue
        if new is not None and not Media.objects.filter(stored_as=name).update(stored_as=new):
            media_files.delete(new)
        elif new is not None:
            result.files += 1
