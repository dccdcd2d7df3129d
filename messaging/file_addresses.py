"""Short-lived addresses of files: whoever has one reads the file, without a login."""

from __future__ import annotations

from django.core import signing
from django.urls import reverse

from messaging.models import Media

SECONDS = 300

_SIGNER = signing.TimestampSigner(salt="messaging.media")


def path_of(media: Media) -> str:
    """Return the path at which a file can be read for some minutes."""
    return reverse("media-file", args=[_SIGNER.sign(media.public_id)])


def public_id_in(signed: str) -> str | None:
    """Return the id of the file that a path's last part names, None when it is not valid."""
    try:
        return _SIGNER.unsign(signed, max_age=SECONDS)
    except signing.BadSignature:
        return None
