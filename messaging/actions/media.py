"""Writes files: those that software uploads, and those that are fetched from WhatsApp."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.db.models import Min, Q, Sum
from django.utils import timezone

from connections.worker.message_port import MediaFetch, MediaNotSaved
from events import log
from events.log import NewEvent
from events.models import EventType
from messaging import media_files, media_types
from messaging.actions import outboxes
from messaging.media_files import StoredFile
from messaging.models import UNSENT_STATES, Media, Message
from messaging.refusals import (
    MediaInUse,
    MediaReceived,
    StorageFull,
    StorageUnavailable,
    UnknownMedia,
)
from organizations.access import Actor

State = Media.State

MEGABYTE = 1024 * 1024
NAME_LENGTH = 250
# WhatsApp keeps media for weeks, but a link of ours may be away for long.
FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=10), timedelta(hours=1)
MAX_TRIES = 10
FINAL_ERRORS = frozenset({"gone", "too_large"})


def max_bytes() -> int:
    """Return how many bytes one file may have."""
    return settings.MEDIA_MAX_MB * MEGABYTE


def upload(
    organization_id: int, chunks: Iterable[bytes], claimed: str, filename: str, actor: Actor
) -> Media:
    """Store a file that is to be sent, and return it.

    Raises media_files.TooLarge, media_types.Mismatch, StorageFull, StorageUnavailable, and
    PermissionDenied when the actor's right has ended.
    """
    file = media_files.save(chunks, max_bytes())
    try:
        mime_type = media_types.type_of(file.head, claimed)
        return _store(organization_id, file, mime_type, filename, actor)
    except BaseException:
        media_files.delete(file.name)
        raise


@transaction.atomic
def _store(
    organization_id: int, file: StoredFile, mime_type: str, filename: str, actor: Actor
) -> Media:
    outboxes.lock_for_sender(organization_id, actor)
    if not _has_room(organization_id, file.size):
        raise StorageFull
    return Media.objects.create(
        organization_id=organization_id,
        state=State.READY,
        filename=filename[:NAME_LENGTH] or None,
        **_columns(file, mime_type),
    )


@transaction.atomic
def delete(organization_id: int, public_id: str) -> None:
    """Delete an uploaded file. Raises UnknownMedia, MediaInUse and MediaReceived."""
    outboxes.lock(organization_id)
    media = Media.objects.filter(organization=organization_id, public_id=public_id).first()
    if media is None:
        raise UnknownMedia
    if media.messages.exclude(direction=Message.Direction.OUT).exists():
        raise MediaReceived
    if media.messages.filter(state__in=UNSENT_STATES).exists():
        raise MediaInUse
    media.delete()


def to_fetch(connection_ids: Collection[int]) -> tuple[list[MediaFetch], datetime | None]:
    """Return media that is due, one for each of these organizations that has some.

    And when the first of the others will have some. However much of one waits, it keeps no other
    out.
    """
    pending = Media.objects.filter(
        organization__in=connection_ids, state=State.PENDING, next_try_at__isnull=False
    )
    due = Q(next_try_at__lte=timezone.now())
    firsts = pending.values("organization").annotate(
        next_at=Min("next_try_at"), due=Min("pk", filter=due)
    )
    found = list(firsts.order_by().values_list("due", "next_at"))
    ids = [pk for pk, _ in found if pk is not None]
    rows = Media.objects.filter(pk__in=ids).defer("filename") if ids else ()
    fetches = [
        MediaFetch(media.pk, media.organization_id, media.source or "", max_bytes())
        for media in sorted(rows, key=lambda media: media.pk)
    ]
    return fetches, min((at for pk, at in found if pk is None), default=None)


def save_fetched(path: Path) -> StoredFile:
    """Put a fetched file into the storage. Raises MediaNotSaved."""
    try:
        with path.open("rb") as content:
            return media_files.save(File(content).chunks(), max_bytes())
    except media_files.TooLarge as error:
        raise MediaNotSaved("too_large") from error
    except StorageUnavailable as error:
        raise MediaNotSaved(StorageUnavailable.code) from error


@transaction.atomic
def record_fetched(fetch: MediaFetch, file: StoredFile) -> bool:
    """Store the row of a fetched file, with its event. Return False when it is not kept."""
    media = _lock_pending(fetch)
    if media is None:
        # A commit whose answer was lost is tried again.
        return Media.objects.filter(pk=fetch.media_id, stored_as=file.name).exists()
    if not _has_room(media.organization_id, file.size):
        _end(media, State.NOT_KEPT, "storage_full")
        return False
    columns = _columns(file, media_types.type_of(file.head))
    for name, value in columns.items():
        setattr(media, name, value)
    _end(media, State.READY, "")
    return True


@transaction.atomic
def record_failure(fetch: MediaFetch, error: str) -> None:
    """Try again later to fetch media, or give up, with an event."""
    media = _lock_pending(fetch)
    if media is None:
        return
    media.tries += 1
    if error == StorageUnavailable.code:
        # It is ours to mend, so it is never given up.
        media.tries = min(media.tries, MAX_TRIES - 1)
    if error in FINAL_ERRORS or media.tries >= MAX_TRIES:
        return _end(media, State.FAILED, error)
    wait = min(FIRST_RETRY * 2 ** (media.tries - 1), LONGEST_RETRY)
    media.next_try_at = timezone.now() + wait
    media.save(update_fields=["tries", "next_try_at"])


def _lock_pending(fetch: MediaFetch) -> Media | None:
    """Lock the organization's messages; return media that is still to be fetched."""
    if outboxes.lock(fetch.connection_id) is None:
        return None
    return Media.objects.filter(pk=fetch.media_id, state=State.PENDING).first()


def _end(media: Media, state: Media.State, reason: str) -> None:
    """Set the final state of media that was to be fetched, and append its event."""
    media.state, media.reason, media.next_try_at, media.source = state, reason, None, None
    media.save()
    ready = state == State.READY
    kind = EventType.MEDIA_READY if ready else EventType.MEDIA_FAILED
    for message in media.messages.only("public_id", "organization"):
        data: dict[str, Any] = {"id": media.public_id, "messageId": message.public_id}
        if ready:
            data |= {"mimeType": media.mime_type, "size": media.size, "sha256": media.sha256}
        else:
            data |= {"reason": reason}
        log.append(media.organization_id, [NewEvent(kind, data, message.public_id)])


def _has_room(organization_id: int, size: int) -> bool:
    """Return whether an organization may store so many bytes more."""
    stored = Media.objects.filter(organization=organization_id, state=State.READY)
    used = stored.aggregate(sum=Sum("size"))["sum"] or 0
    return bool(used + size <= settings.MEDIA_TOTAL_MB * MEGABYTE)


def _columns(file: StoredFile, mime_type: str) -> dict[str, Any]:
    return {
        "mime_type": mime_type,
        "size": file.size,
        "sha256": file.sha256,
        "stored_as": file.name,
    }
