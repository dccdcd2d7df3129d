"""Short-lived signed URLs of files: whoever has one reads the file, without a login."""

from __future__ import annotations

from django.conf import settings
from django.core import signing
from django.urls import reverse

SECONDS = 300

_SIGNER = signing.TimestampSigner(salt="messaging.media")


def path_of(public_id: str) -> str:
    """Return the path at which a file can be read for some minutes."""
    return reverse("media-file", args=[_SIGNER.sign(public_id)])


def url_of(public_id: str) -> str | None:
    """Return the whole address, None while SITE_URL does not say where this service is."""
    return f"{settings.SITE_URL}{path_of(public_id)}" if settings.SITE_URL else None


def public_id_in(signed: str) -> str | None:
    """Return the id of the file that a path's last part names, None when it is not valid."""
    try:
        return _SIGNER.unsign(signed, max_age=SECONDS)
    except signing.BadSignature:
        return None
