"""Wait in a request until a file has been fetched from WhatsApp."""

from __future__ import annotations

from connections.long_poll import wait_for
from events.notifications import log_group
from messaging.models import Media

SECONDS = 20.0
"""Software asks for a file as soon as it knows of the message, which is before it is here."""


def wait_until_fetched(media: Media) -> Media:
    """Return a file when it is fetched, or as it is after SECONDS."""

    def check() -> Media | None:
        found = Media.objects.filter(pk=media.pk).first()
        return found if found is not None and found.state != Media.State.PENDING else None

    if media.state != Media.State.PENDING:
        return media
    return wait_for(log_group(media.organization_id), check, SECONDS) or media
