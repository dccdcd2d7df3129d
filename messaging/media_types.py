"""What a file is, by its content: what is claimed of it counts only where it says more."""

from __future__ import annotations

import magic

UNKNOWN = "application/octet-stream"
MAX_LENGTH = 100

# Other names of the same type.
ALIASES = {
    "application/ogg": "audio/ogg",
    "application/x-empty": UNKNOWN,
    "audio/mp3": "audio/mpeg",
    "audio/opus": "audio/ogg",
    "audio/wave": "audio/wav",
    "audio/x-hx-aac-adts": "audio/aac",
    "audio/x-m4a": "audio/mp4",
    "audio/x-wav": "audio/wav",
    "image/jpg": "image/jpeg",
    "image/x-ms-bmp": "image/bmp",
    "video/x-m4v": "video/mp4",
}
# Containers of many types: a text may be CSV, and a ZIP a document of an office program.
GENERIC = {
    UNKNOWN,
    "application/CDFV2",
    "application/x-ole-storage",
    "application/xml",
    "application/zip",
    "text/plain",
    "text/xml",
}
# What these are claimed to be is shown to the recipient as it is, so it must be true.
SHOWN = ("image/", "video/", "audio/")
# The tag before the sound of an MP3. libmagic looks behind it, but with a cover it is longer than
# the head.
ID3 = b"ID3"
# One container holds either: the type that is claimed, and the one that is found.
SAME_CONTAINER = {
    ("audio/mp4", "video/mp4"),
    ("audio/ogg", "video/ogg"),
    ("video/mp4", "audio/mp4"),
}
# What libmagic calls texts of which it knows more. As text/plain they are as harmless as any; HTML
# and SVG, which a browser runs, are not among them.
TEXTS = (
    *("text/", "message/", "application/javascript", "application/json", "application/pgp-keys"),
    *("application/x-ndjson", "application/x-setupscript", "application/x-subrip"),
)

INLINE = frozenset(
    {
        *("image/jpeg", "image/png", "image/webp", "image/gif"),
        *("video/mp4", "audio/ogg", "audio/mpeg", "audio/aac"),
    }
)
"""What a browser may show itself; everything else is saved."""


class Mismatch(Exception):
    """A file is not what it is claimed to be. `found`: what it is."""

    def __init__(self, found: str) -> None:
        super().__init__()
        self.found = found


def type_of(head: bytes, claimed: str = "") -> str:
    """Return the MIME type of a file that begins like this. Raises Mismatch."""
    found = _plain(magic.from_buffer(head, mime=True))
    if found == UNKNOWN and head.startswith(ID3):
        found = "audio/mpeg"
    claimed = _plain(claimed)
    if claimed in ("", UNKNOWN, found):
        return found
    generic = found in GENERIC and not claimed.startswith(SHOWN)
    text = claimed == "text/plain" and found.startswith(TEXTS) and found != "text/html"
    if generic or text or (claimed, found) in SAME_CONTAINER:
        return claimed
    raise Mismatch(found)


def _plain(mime_type: str) -> str:
    """Return a MIME type without its parameters, by its usual name."""
    name = mime_type.partition(";")[0].strip().lower()
    if len(name) > MAX_LENGTH or not name.isascii() or not name.isprintable():
        return ""
    return ALIASES.get(name, name)
