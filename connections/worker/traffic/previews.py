"""Adds the preview of a link to a text that is about to be sent."""

from __future__ import annotations

import base64
import logging
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

from connections.worker.message_port import Outgoing
from connections.worker.tasks.context import loop_time
from outbound.preview import NoPreview, Previews

logger = logging.getLogger(__name__)

# A text that is tried again, or goes to many, shows the same; a site that does not answer costs its
# organization one wait.
KEEP_SECONDS, KEEP_FAILURE_SECONDS = 600.0, 60.0
KEEP_MOST = 200


@dataclass(frozen=True)
class _Kept:
    """What a link shows, None for nothing."""

    preview: dict[str, Any] | None
    until: float


class LinkPreviews:
    """Fetches previews for all connections, and keeps them for a while."""

    def __init__(self) -> None:
        self._previews = Previews()
        # By organization as well, so that none can find out what another one sends.
        self._kept: OrderedDict[tuple[int, str], _Kept] = OrderedDict()

    async def add(self, outgoing: Outgoing) -> Outgoing:
        """Return a message with the preview of its link, or as it is when there is none.

        It waits for the link's server, for five seconds at most.
        """
        if not outgoing.link:
            return outgoing
        preview = await self._find(outgoing.fence.connection_id, outgoing.link)
        if preview is None:
            return outgoing
        content = outgoing.content
        text = {**content["text"], "preview": {"url": outgoing.link, **preview}}
        return replace(outgoing, content={**content, "text": text})

    async def _find(self, connection_id: int, link: str) -> dict[str, Any] | None:
        key = connection_id, link
        kept = self._kept.get(key)
        if kept is not None and kept.until > loop_time():
            return kept.preview
        preview = await self._fetch(connection_id, link)
        seconds = KEEP_FAILURE_SECONDS if preview is None else KEEP_SECONDS
        self._kept[key] = _Kept(preview, loop_time() + seconds)
        self._kept.move_to_end(key)
        if len(self._kept) > KEEP_MOST:
            self._kept.popitem(last=False)
        return preview

    async def _fetch(self, connection_id: int, link: str) -> dict[str, Any] | None:
        try:
            found = await self._previews.fetch(link)
        except NoPreview as error:
            why = str(error)
        except Exception as error:
            # Whatever it is: the text matters more. Its message may quote the link.
            why = type(error).__name__
        else:
            thumbnail = base64.b64encode(found.thumbnail).decode()
            return {"title": found.title, "description": found.description, "thumbnail": thumbnail}
        logger.info("a link has no preview", extra={"organization": connection_id, "why": why})
        return None
