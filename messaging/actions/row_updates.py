"""Writes changed columns of rows, by the statement that is cheaper for their number."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db.models import Model

FEW = 3
BATCH = 100


def save_rows(rows: Collection[Model], fields: Sequence[str]) -> None:
    """Write these columns of rows of one table.

    For one row, `save` takes a third of the CPU time of `bulk_update` (docs/performance.md).
    """
    if len(rows) <= FEW:
        for row in rows:
            row.save(update_fields=fields)
        return
    model = type(next(iter(rows)))
    model._default_manager.bulk_update(rows, fields, batch_size=BATCH)
