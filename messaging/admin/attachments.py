"""The file that a person attaches to a message: what it is sent as, and its upload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_noop as _

from messaging import media_types
from messaging.actions import media
from messaging.actions.outgoing import MEDIA_TYPES
from messaging.media_files import HEAD_BYTES
from messaging.media_types import SHOWN, Mismatch
from messaging.models import Media
from organizations.access import Actor

CAPTION_LENGTH = 1024

TOO_LARGE = _("A file may have {size} MB at most.")
MISMATCH = _("This file is not what it says: its content is {found}.")
SOUND_WITH_TEXT = _("A sound carries no text. Send the text as a message of its own.")
LONG_CAPTION = _("Below a file WhatsApp takes {most} characters; this text has {count}.")


@dataclass(frozen=True)
class Attachment:
    """A file that was chosen, with its MIME type. `kind`: the type of the message."""

    file: UploadedFile[Any]
    mime_type: str

    @classmethod
    def of(cls, file: UploadedFile[Any]) -> Attachment:
        """Return the file with its type. Raises media_types.Mismatch."""
        head = file.read(HEAD_BYTES)
        file.seek(0)
        claimed = file.content_type or ""
        try:
            return cls(file, media_types.type_of(head, claimed))
        except Mismatch as error:
            # A browser guesses by the file's name; only what the recipient sees has to be true.
            if claimed.startswith(SHOWN):
                raise
            return cls(file, error.found)

    @property
    def kind(self) -> str:
        kinds = ("image", "video", "audio")
        return next((kind for kind in kinds if self.mime_type in MEDIA_TYPES[kind]), "document")

    def body(self, caption: str) -> dict[str, Any]:
        """Return the object of the message's type."""
        body = {"caption": caption} if caption.strip() else {}
        if self.kind == "document" and self.file.name:
            body["filename"] = self.file.name[: media.NAME_LENGTH]
        return body

    def upload(self, organization_id: int, actor: Actor) -> Media:
        """Store the file, and return it. Raises StorageFull and PermissionDenied."""
        name = self.file.name or ""
        return media.upload(organization_id, self.file.chunks(), self.mime_type, name, actor)


def max_megabytes() -> int:
    """Return how large a file may be."""
    return media.max_bytes() // media.MEGABYTE
