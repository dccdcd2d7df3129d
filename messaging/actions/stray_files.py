"""Deletes stored files without a row, which a process left that ended between file and row."""

from __future__ import annotations

import logging
import random
from datetime import timedelta

from django.utils import timezone

from messaging import media_files
from messaging.models import Media
from messaging.refusals import StorageUnavailable

logger = logging.getLogger(__name__)

# A younger file may belong to a row that is not committed yet.
OLD_ENOUGH = timedelta(days=1)
# So many of the up to 4,096 folders are looked at in one run, and so many files in one of them:
# with a run every five minutes each is seen about once a day.
FOLDERS_AT_ONCE = 16
FILES_AT_ONCE = 500


def delete_some() -> None:
    """Look at some folders of the storage, and delete the old files in them that have no row.

    A storage that fails is logged, and looked at again in the next run.
    """
    deleted = 0
    try:
        with media_files.translated_failures():
            folders, _ = media_files.storage().listdir("")
            for folder in random.sample(folders, min(FOLDERS_AT_ONCE, len(folders))):
                deleted += _delete_in(folder)
    except (FileNotFoundError, StorageUnavailable):
        pass  # Nothing was ever stored, or another worker was faster; or it was logged.
    if deleted:
        logger.warning("stored files without a row were deleted", extra={"count": deleted})


def _delete_in(folder: str) -> int:
    """Delete the stray files of a folder. Return how many."""
    storage = media_files.storage()
    _, files = storage.listdir(folder)
    files = random.sample(files, min(FILES_AT_ONCE, len(files)))
    # The storage may have files of others.
    names = {name for file in files if media_files.is_name(name := f"{folder}/{file}")}
    known = Media.objects.filter(stored_as__in=names).values_list("stored_as", flat=True)
    newest = timezone.now() - OLD_ENOUGH
    stray = [name for name in names - set(known) if storage.get_modified_time(name) < newest]
    for name in stray:
        media_files.delete(name)
    return len(stray)
