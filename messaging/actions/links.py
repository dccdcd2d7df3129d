"""Messages whose file is not uploaded but named by a link: it is fetched when the message comes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from connections.long_poll import free_database, step_aside
from messaging import media_types
from messaging.actions import media as media_actions
from messaging.actions import outgoing
from messaging.actions.outgoing import NewMessage
from messaging.media_files import HEAD_BYTES
from messaging.models import Media, Message
from messaging.refusals import LinkFailed, TooManyLinks
from organizations.access import Actor
from outbound.client import Downloaded, download_sync
from outbound.errors import Kind, RequestFailed

# Each fetch holds a thread of the web process for as long as the other server likes, at most 10 s.
AT_ONCE, AT_ONCE_FOR_ONE = 8, 4

KILOBYTE = 1024
LIMITS = {
    "image": 5 * KILOBYTE**2,
    "video": 16 * KILOBYTE**2,
    "audio": 16 * KILOBYTE**2,
    "document": 100 * KILOBYTE**2,
    "sticker": 500 * KILOBYTE,
}
"""Bytes of a file for a type of message, as far as MEDIA_MAX_MB allows."""

_lock = threading.Lock()
_running: Counter[int] = Counter()


def enqueue(organization_id: int, new: NewMessage, actor: Actor) -> Message:
    """Do what `outgoing.enqueue` does, after fetching the file if there is a link.

    For code without an event loop: it waits up to ten seconds for the other server. A message that
    is refused, or was asked for before, leaves no file behind. Raises LinkFailed and TooManyLinks,
    too.
    """
    if not new.link:
        return outgoing.enqueue(organization_id, new, actor)
    # First, so that nothing is fetched for a message that is refused, or for a repeated request.
    earlier = outgoing.admit(organization_id, new, actor)
    if earlier is not None:
        return earlier
    media = _fetch(organization_id, new, actor)
    try:
        message = outgoing.enqueue(organization_id, replace(new, media=media.public_id), actor)
    except BaseException:
        media.delete()
        raise
    if message.media_id != media.pk:  # The same request came twice at the same time.
        media.delete()
    return message


def _fetch(organization_id: int, new: NewMessage, actor: Actor) -> Media:
    """Store the file at a link, and return it.

    Raises LinkFailed, TooManyLinks, StorageFull and StorageUnavailable.
    """
    limit = min(LIMITS[new.type], media_actions.max_bytes())
    free_database()
    try:
        with _slot(organization_id), step_aside.get()():
            found = download_sync(new.link, limit)
        if not found.content:
            raise RequestFailed(Kind.UNUSABLE)
    except RequestFailed as error:
        raise LinkFailed(error) from error
    mime_type = _type_of(found)
    return media_actions.upload(organization_id, [found.content], mime_type, _name_of(found), actor)


@contextmanager
def _slot(organization_id: int) -> Iterator[None]:
    """Count a fetch while it runs. Raises TooManyLinks."""
    with _lock:
        if _running.total() >= AT_ONCE or _running[organization_id] >= AT_ONCE_FOR_ONE:
            raise TooManyLinks(retry_after=10)
        _running[organization_id] += 1
    try:
        yield
    finally:
        with _lock:
            _running[organization_id] -= 1
            if not _running[organization_id]:
                del _running[organization_id]


def _type_of(found: Downloaded) -> str:
    """Return what a file is. Servers often are wrong, so unlike in an upload that is no error."""
    try:
        return media_types.type_of(found.content[:HEAD_BYTES], found.content_type)
    except media_types.Mismatch as mismatch:
        return mismatch.found


def _name_of(found: Downloaded) -> str:
    """Return the name of a file in its URL, "" if that has none."""
    name = unquote(PurePosixPath(urlsplit(found.url).path).name)
    return name if "." in name and name.isprintable() else ""
