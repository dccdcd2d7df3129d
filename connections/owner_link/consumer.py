"""The socket of the page behind a link for the phone's owner. Its identity is no user: a cookie."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from channels.db import database_sync_to_async
from channels.sessions import CookieMiddleware
from django.utils import translation

from connections.broadcast import group_of
from connections.live.live_consumer import Ended, LiveConsumer, Message
from connections.models import OwnerLink
from connections.owner_link import links
from connections.owner_link.screen import screen
from organizations.sockets.authentication import (
    CloseCode,
    Receive,
    Scope,
    Send,
    close,
    deny,
    header,
)
from organizations.sockets.origins import is_allowed_origin

SOCKETS_PER_LINK = 10


class OwnerConsumer(LiveConsumer):
    """What the owner's page shows, as it changes. Whether the link still holds is asked each time.

    It is told in the language of the page; `OwnerLinkAuthMiddleware` has seen the link.
    """

    told: Message | None = None

    def watched(self) -> str:
        scope: Any = self.scope
        self.held: str = scope["owner_link_held"]
        return group_of(scope["owner_link"].connection_id)

    def _read(self, asked: bool, changed: set[int], look: bool) -> list[str]:
        link = links.of_browser(self.held)
        if link is None:
            raise Ended(CloseCode.NOT_FOUND)
        with translation.override(self.language):
            found = screen(link)
        told, self.told = self.told, found | {"secondsLeft": None}
        return [json.dumps(found)] if asked or changed or told != self.told else []


class OwnerLinkAuthMiddleware:
    """ASGI middleware: lets in whoever holds a link, from our own pages, and not too often."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._with_cookies: Any = CookieMiddleware(self._enter)
        # Of this process, by link.
        self._open: Counter[int] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _from_our_pages(scope):
            return await deny(receive, send)
        await self._with_cookies(scope, receive, send)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        held = scope["cookies"].get("owner_link_socket", "")
        link: OwnerLink | None = await database_sync_to_async(links.of_browser)(held)
        if link is None:
            return await close(receive, send, CloseCode.NOT_FOUND)
        if self._open[link.pk] >= SOCKETS_PER_LINK:
            return await close(receive, send, CloseCode.TOO_MANY)
        self._open[link.pk] += 1
        shown = {"identity": None, "owner_link": link, "owner_link_held": held}
        try:
            await self._application({**scope, **shown}, receive, send)
        finally:
            self._open[link.pk] -= 1
            if not self._open[link.pk]:
                del self._open[link.pk]


def _from_our_pages(scope: Scope) -> bool:
    """Whether no other site's page asks. It would have no cookie to show; this is a second lock.

    What is no browser sends no Origin.
    """
    return header(scope, b"origin") is None or is_allowed_origin(scope)
