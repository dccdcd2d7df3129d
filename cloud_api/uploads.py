"""Checks files before they are stored, as Meta does: their types, and a size for each type."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import UploadedFile

from cloud_api.codes import Code
from cloud_api.errors import GraphError
from messaging.actions.links import KILOBYTE, LIMITS
from messaging.actions.media import MEGABYTE, max_bytes
from messaging.media_files import HEAD_BYTES
from messaging.media_types import UNKNOWN, Mismatch, type_of

_OFFICE = "application/vnd.openxmlformats-officedocument"
TYPES = (
    *("audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg", "audio/opus"),
    *("application/vnd.ms-powerpoint", "application/msword", "application/vnd.ms-excel"),
    *(f"{_OFFICE}.wordprocessingml.document", f"{_OFFICE}.presentationml.presentation"),
    *(f"{_OFFICE}.spreadsheetml.sheet", "application/pdf", "text/plain"),
    *("image/jpeg", "image/png", "image/webp", "video/mp4", "video/3gpp"),
)
"""What Meta takes."""
STICKER = "image/webp"
STILL_STICKER_BYTES = 100 * KILOBYTE
"""Of a sticker that does not move; for others LIMITS has more."""

TOO_LARGE = "A file may have {size} MB at most."
TOO_LARGE_FOR_TYPE = "file: A file of the type {type} may have {size} at most."
MISMATCH = "file: It is not what its type says: its content is {found}."
WRONG_TYPE = (
    "Param file must be a file with one of the following types: {types}. Received file of type "
    "'{found}'."
)


def check(file: UploadedFile[Any], type_of_form: str) -> str:
    """Return the type of an uploaded file. Raises GraphError for a file that Meta would refuse.

    `type_of_form`: what the form says, which counts where the part with the file says nothing.
    """
    size = file.size or 0
    if size > max_bytes():
        text = TOO_LARGE.format(size=max_bytes() // MEGABYTE)
        raise GraphError(Code.MEDIA_NOT_UPLOADED, text, 413)
    claimed = file.content_type or ""
    head = file.read(HEAD_BYTES)
    file.seek(0)
    try:
        found = type_of(head, type_of_form if claimed in ("", UNKNOWN) else claimed)
    except Mismatch as error:
        raise GraphError(Code.MEDIA_NOT_UPLOADED, MISMATCH.format(found=error.found)) from error
    if found not in TYPES:
        raise GraphError(Code.INVALID, WRONG_TYPE.format(types=", ".join(TYPES), found=found))
    limit = _limit(found, head)
    if size > limit:
        text = TOO_LARGE_FOR_TYPE.format(type=found, size=_in_words(limit))
        raise GraphError(Code.MEDIA_NOT_UPLOADED, text)
    return found


def _limit(mime_type: str, head: bytes) -> int:
    """Return how many bytes a file of a type may have."""
    if mime_type == STICKER:
        return LIMITS["sticker"] if _moves(head) else STILL_STICKER_BYTES
    return LIMITS.get(mime_type.partition("/")[0], LIMITS["document"])


def _moves(head: bytes) -> bool:
    """Return whether a WebP picture is an animation: a flag of its extended header says so."""
    return head[12:16] == b"VP8X" and len(head) > 20 and bool(head[20] & 0x02)


def _in_words(size: int) -> str:
    return f"{size // MEGABYTE} MB" if size >= MEGABYTE else f"{size // KILOBYTE} KB"
