"""Authentication of WebSockets, at the handshake and while the socket is open.

A browser authenticates by its session, and only from an allowed origin (origins.py); other clients
by `Authorization: Bearer <token>`. Consumers find a `SocketIdentity` in scope["identity"].
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from channels.db import database_sync_to_async
from channels.sessions import SessionMiddlewareStack
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import get_language_from_request

from organizations import token_throttle
from organizations.access import Caller, for_user
from organizations.models import ApiToken
from organizations.second_factor.sessions import Need, need_of
from organizations.sockets.origins import is_allowed_origin
from organizations.tokens import find_token, mark_used

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class CloseCode(IntEnum):
    """Why a socket was closed; docs/websocket.md explains the codes to clients.

    All are from the range for applications (4000–4999).
    """

    UNAUTHENTICATED = 4401
    NOT_FOUND = 4404
    TOO_MANY = 4429
    INTERNAL_ERROR = 4500


@dataclass(frozen=True)
class SocketIdentity:
    """The session or the token of a handshake. Both can end while the socket is open."""

    address: str | None
    session_key: str | None = None
    token_pk: str | None = None

    def caller(self) -> Caller | None:
        """Return the caller, read from the database, or None when session or token has ended."""
        if self.token_pk is not None:
            tokens = ApiToken.objects.select_related("user", "organization")
            token = tokens.filter(pk=self.token_pk).first()
            if token is None or not token.is_valid:
                return None
            user = AnonymousUser() if token.organization_id else token.user
            return Caller(user, token, self.address)
        store = import_module(settings.SESSION_ENGINE).SessionStore(self.session_key)
        request: Any = SimpleNamespace(session=store)
        user = get_user(request)
        if not user.is_authenticated or need_of(user, store) is not Need.NOTHING:
            return None
        return for_user(user, self.address)


class AuthMiddleware:
    """ASGI middleware that authenticates sockets and limits how many each caller may open."""

    def __init__(self, application: Any) -> None:
        self._application: Application = application
        self._with_session: Any = SessionMiddlewareStack(self._enter)
        # Counted per process: behind a load balancer, each process allows this many.
        self._open: Counter[tuple[str, Any]] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if header(scope, b"origin") is None and _token_text(scope) is not None:
            # Not a browser: browsers send an Origin and cannot be made to send a token.
            return await self._enter(scope, receive, send)
        if not is_allowed_origin(scope):
            return await deny(receive, send)
        await self._with_session(scope, receive, send)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            identity, caller = await database_sync_to_async(_identify)(scope)
        except token_throttle.Throttled:
            return await close(receive, send, CloseCode.TOO_MANY)
        if caller is None:
            return await close(receive, send, CloseCode.UNAUTHENTICATED)
        key = _key(caller)
        if self._open[key] >= settings.SOCKETS_PER_CALLER:
            return await close(receive, send, CloseCode.TOO_MANY)
        self._open[key] += 1
        try:
            await self._application({**scope, "identity": identity}, receive, send)
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]


def language_of(scope: Scope) -> str:
    """Return the language of a handshake, by the same rules as for a page."""
    accepted = header(scope, b"accept-language") or ""
    request: Any = SimpleNamespace(
        COOKIES=scope.get("cookies", {}), META={"HTTP_ACCEPT_LANGUAGE": accepted}
    )
    return get_language_from_request(request)


async def close(receive: Receive, send: Send, code: CloseCode) -> None:
    """Accept and close with a code: browsers do not see the code of a refused handshake."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": int(code)})


async def deny(receive: Receive, send: Send) -> None:
    """Refuse the handshake with a 403."""
    await receive()
    await send({"type": "websocket.close"})


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """Close a socket to an unknown path."""
    await close(receive, send, CloseCode.NOT_FOUND)


def header(scope: Scope, name: bytes) -> str | None:
    """Return the first header of this name, or None."""
    values = (value for found, value in scope["headers"] if found.lower() == name)
    value = next(values, None)
    return None if value is None else value.decode("latin-1")


def _token_text(scope: Scope) -> str | None:
    """Return the text after "Bearer", which may be "", or None without such a header."""
    scheme, _, text = (header(scope, b"authorization") or "").strip().partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


def _identify(scope: Scope) -> tuple[SocketIdentity | None, Caller | None]:
    """Return the identity and the caller of a handshake, None if unknown. Raises Throttled."""
    address = scope["client"][0] if scope.get("client") else None
    text = _token_text(scope)
    if text is None:
        identity = SocketIdentity(address, session_key=scope["session"].session_key)
        return identity, identity.caller()
    token = find_token(text)
    if token is None:
        token_throttle.record_wrong_token(address)
        return None, None
    mark_used(token)
    identity = SocketIdentity(address, token_pk=token.pk)
    return identity, identity.caller()


def _key(caller: Caller) -> tuple[str, Any]:
    """Return the key by which sockets are counted: the user, or an organization's own token."""
    if caller.token is not None and caller.token.organization_id is not None:
        return ("token", caller.token.pk)
    return ("user", caller.user.pk)
