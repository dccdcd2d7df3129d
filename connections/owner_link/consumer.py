"""The socket of the owner's page. A cookie with the link's secret authenticates it, no user."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from channels.db import database_sync_to_async
from channels.sessions import CookieMiddleware
from django.utils import translation

from connections.broadcast import connection_group
from connections.live.live_consumer import AccessEnded, LiveConsumer, Message
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
    """Sends what the owner's page shows, in its language, and checks the link before each read.

    `OwnerLinkAuthMiddleware` has checked it before.
    """

    last_sent: Message | None = None

    def groups_to_join(self) -> tuple[str, ...]:
        scope: Any = self.scope
        self.cookie: str = scope["owner_link_cookie"]
        return (connection_group(scope["owner_link"].connection_id),)

    def _read(self, requested: bool, changed: set[int], recheck: bool) -> list[str]:
        link = links.find_by_cookie(self.cookie)
        if link is None:
            raise AccessEnded(CloseCode.NOT_FOUND)
        with translation.override(self.language):
            message = screen(link)
        before, self.last_sent = self.last_sent, message | {"secondsLeft": None}
        return [json.dumps(message)] if requested or changed or before != self.last_sent else []


class OwnerLinkAuthMiddleware:
    """ASGI middleware: admits browsers with a valid link, from our own pages.

    At most SOCKETS_PER_LINK are open for one link in one process.
    """

    def __init__(self, application: Any) -> None:
        self._application = application
        self._with_cookies: Any = CookieMiddleware(self._admit)
        self._open: Counter[int] = Counter()  # Open sockets of this process, by link.

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _from_our_pages(scope):
            return await deny(receive, send)
        await self._with_cookies(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        cookie = scope["cookies"].get("owner_link_socket", "")
        link: OwnerLink | None = await database_sync_to_async(links.find_by_cookie)(cookie)
        if link is None:
            return await close(receive, send, CloseCode.NOT_FOUND)
        if self._open[link.pk] >= SOCKETS_PER_LINK:
            return await close(receive, send, CloseCode.TOO_MANY)
        self._open[link.pk] += 1
        added = {"identity": None, "owner_link": link, "owner_link_cookie": cookie}
        try:
            await self._application({**scope, **added}, receive, send)
        finally:
            self._open[link.pk] -= 1
            if not self._open[link.pk]:
                del self._open[link.pk]


def _from_our_pages(scope: Scope) -> bool:
    """Return whether the request comes from our pages, or from no browser (it has no Origin).

    Another site's page would send no cookie either; this is a second check.
    """
    return header(scope, b"origin") is None or is_allowed_origin(scope)
