"""Messages whose file is not uploaded but named by a link: it is fetched when the message comes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from tempfile import SpooledTemporaryFile
from urllib.parse import unquote, urlsplit

from connections.long_poll import waiting_for_others
from messaging import media_types
from messaging.actions import media as media_actions
from messaging.actions import outgoing
from messaging.actions.outgoing import NewMessage
from messaging.media_files import CHUNK_BYTES, HEAD_BYTES
from messaging.models import Media, Message
from messaging.refusals import LinkFailed, TooManyDownloads
from organizations.access import Actor
from outbound import limited_client
from outbound.errors import Kind, RequestFailed, TooManyRequests

KILOBYTE = 1024
LIMITS = {
    "image": 5 * KILOBYTE**2,
    "video": 16 * KILOBYTE**2,
    "audio": 16 * KILOBYTE**2,
    "document": 100 * KILOBYTE**2,
    "sticker": 500 * KILOBYTE,
}
"""Bytes of a file for a type of message, as far as MEDIA_MAX_MB allows."""


def enqueue(organization_id: int, new: NewMessage, actor: Actor) -> Message:
    """Do what `outgoing.enqueue` does, after fetching the file if there is a link.

    For code without an event loop: it waits up to ten seconds for the other server. A message that
    is refused, or was asked for before, leaves no file behind. Raises LinkFailed and
    TooManyDownloads, too.
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

    Raises LinkFailed, TooManyDownloads, StorageFull and StorageUnavailable.
    """
    limit = min(LIMITS[new.type], media_actions.max_bytes())
    with SpooledTemporaryFile(CHUNK_BYTES) as file:
        try:
            with waiting_for_others():
                found = limited_client.save(new.link, limit, file, organization_id)
            if not found.size:
                raise RequestFailed(Kind.UNUSABLE)
        except RequestFailed as error:
            raise LinkFailed(error) from error
        except TooManyRequests as error:
            raise TooManyDownloads(retry_after=10) from error
        file.seek(0)
        mime_type = _type_of(file.read(HEAD_BYTES), found.content_type)
        file.seek(0)
        chunks = iter(partial(file.read, CHUNK_BYTES), b"")
        name = _name_of(found.url)
        return media_actions.upload(organization_id, chunks, mime_type, name, actor)


def _type_of(head: bytes, claimed: str) -> str:
    """Return what a file is. Servers often are wrong, so unlike in an upload that is no error."""
    try:
        return media_types.type_of(head, claimed)
    except media_types.Mismatch as mismatch:
        return mismatch.found


def _name_of(url: str) -> str:
    """Return the name of a file in its URL, "" if that has none."""
    name = unquote(PurePosixPath(urlsplit(url).path).name)
    return name if "." in name and name.isprintable() else ""
