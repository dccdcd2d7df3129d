"""Deletes the stored file of a row that was deleted, whoever deleted it, after the commit."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver

from messaging import media_files
from messaging.models import Media


@receiver(post_delete, sender=Media, dispatch_uid="delete_stored_file")
def delete_stored_file(instance: Media, **kwargs: Any) -> None:
    """Delete the file with its row."""
    if instance.stored_as:
        transaction.on_commit(partial(media_files.delete, instance.stored_as))
