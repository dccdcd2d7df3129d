"""Deletes the stored file of a row that was deleted, whoever deleted it, after the commit.

One that the storage does not delete now is deleted later, as it has no row (stray_files.py).
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver

from messaging import media_files
from messaging.models import Media


@receiver(post_delete, sender=Media, dispatch_uid="delete_stored_file")
def delete_stored_file(instance: Media, **kwargs: Any) -> None:
    """Delete the file with its row."""
    delete_after_commit(instance.stored_as)


def delete_after_commit(name: str) -> None:
    """Delete a stored file once the transaction is committed; "" is none."""

    # Django logs the name of a function that fails, so it is no partial.
    def delete() -> None:
        media_files.delete(name)

    if name:
        transaction.on_commit(delete, robust=True)
