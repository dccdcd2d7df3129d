"""Proxies in front of the simulator, each on a loopback port of its own: HTTP, HTTPS and SOCKS5.

They lead to the simulator's hosts alone. A test makes and changes them over the control API, and
reads there who has asked which of them for what.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import logging
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from . import params
from .http import HttpError, Json, Request

log = logging.getLogger(__name__)

KINDS = ("http", "https", "socks5")
MODES = ("ok", "dead", "refuse", "forbid", "silent", "slow", "other_certificate", "garbage")
LOOPBACK = "127.0.0.1"
KEPT = 1000
_SILENT_SECONDS = 90.0
_GARBAGE = b"220 this is no proxy\r\n"
_FORBIDDEN, _WRONG_LOGIN = 403, 407
_SOCKS_REPLIES = {_FORBIDDEN: 2, 502: 5}


@dataclass(slots=True)
class Settings:
    """A proxy, by its name. `ms`: how slow it is in the mode slow."""

    name: str
    kind: str = "http"
    username: str = ""
    password: str = ""
    mode: str = "ok"
    ms: int = 1000
    port: int = 0
    asked: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT))
    server: asyncio.Server | None = None
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        """The URL without user and password."""
        return f"{self.kind}://{LOOPBACK}:{self.port}"

    def accepts(self, username: str, password: str) -> bool:
        """Return whether it lets somebody with these in."""
        right = (username, password) == (self.username, self.password)
        return self.mode != "refuse" and (right or not self.username)


class Refused(Exception):
    """The proxy makes no tunnel; the status says why."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Proxies:
    """The proxies of one simulator. `port`: returns where its own proxy listens.

    `own`: a TLS context for 127.0.0.1, `other`: one that no client trusts.
    """

    def __init__(self, port: Callable[[], int], own: ssl.SSLContext, other: ssl.SSLContext) -> None:
        self._port = port
        self._own, self._other = own, other
        self._made: dict[str, Settings] = {}
        self._direct: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._relays: dict[int, str] = {}  # names of proxies by the ports that they come from
        self._numbers = itertools.count(1)

    def note(self, peer_port: int, target: str) -> str:
        """Note a request to the simulator's own proxy; return the proxy that it came through."""
        if peer_port in self._relays:
            return self._relays[peer_port]
        self._direct.append({"target": target, "accepted": True})
        return ""

    # --- Control ---------------------------------------------------------------------------------

    def read(self, request: Request) -> Json:
        """Return all proxies; the one without a name is the simulator's own."""
        own: dict[str, Any] = {"name": "", "kind": "http", "mode": "ok"}
        own |= {"url": f"http://{LOOPBACK}:{self._port()}", "asked": list(self._direct)}
        return [own, *map(_described, self._made.values())]

    async def set(self, request: Request) -> Json:
        """Make a proxy, or change one. In the mode dead nothing listens on its port."""
        body = request.body
        params.reject_unknown(body, "name", "kind", "username", "password", "mode", "ms")
        name = params.text(body, "name", "") or f"proxy-{next(self._numbers)}"
        proxy = self._made.get(name) or Settings(name)
        kind, mode = params.text(body, "kind", proxy.kind), params.text(body, "mode", proxy.mode)
        if kind not in KINDS or mode not in MODES:
            raise HttpError(400, f"kind is one of {KINDS}, mode one of {MODES}")
        proxy.kind, proxy.mode = kind, mode
        proxy.username = params.text(body, "username", proxy.username)
        proxy.password = params.text(body, "password", proxy.password)
        if "ms" in body:
            proxy.ms = params.integer(body, "ms", 0, 60_000)
        self._made[name] = proxy
        if proxy.server is None or proxy.mode == "dead":
            await self._listen(proxy)
        return _described(proxy)

    async def reset(self) -> None:
        """End all proxies, and forget what was asked."""
        for proxy in self._made.values():
            self._hang_up(proxy)
        self._made.clear()
        self._direct.clear()

    async def _listen(self, proxy: Settings) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(proxy, reader, writer)

        self._hang_up(proxy)
        proxy.server = await asyncio.start_server(serve, LOOPBACK, proxy.port)
        proxy.port = proxy.server.sockets[0].getsockname()[1]
        if proxy.mode == "dead":
            self._hang_up(proxy)

    def _hang_up(self, proxy: Settings) -> None:
        if proxy.server is not None:
            proxy.server.close()
            proxy.server = None
        for writer in list(proxy.writers):
            writer.transport.abort()

    # --- Tunnels ---------------------------------------------------------------------------------

    async def _serve(
        self, proxy: Settings, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        proxy.writers.add(writer)
        try:
            if proxy.mode == "silent":
                await asyncio.sleep(_SILENT_SECONDS)
            elif proxy.mode == "garbage":
                writer.write(_GARBAGE)
                await writer.drain()
            else:
                await self._answer(proxy, reader, writer)
        except (OSError, EOFError, ValueError, ssl.SSLError, asyncio.LimitOverrunError) as error:
            log.debug("a client of a proxy ended: %s", error)
        except asyncio.CancelledError:
            log.debug("the shutdown ended a client of a proxy")
        finally:
            proxy.writers.discard(writer)
            writer.transport.abort()

    async def _answer(
        self, proxy: Settings, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if proxy.kind == "https":
            await writer.start_tls(self._own)
        if proxy.mode == "slow":
            await asyncio.sleep(proxy.ms / 1000)
        speak = _speak_socks if proxy.kind == "socks5" else _speak_http
        await speak(proxy, reader, writer, lambda target: self._open(proxy, target))

    async def _open(self, proxy: Settings, target: str) -> Tunnel:
        """Return what carries a client on. Raises Refused."""
        noted = {"target": target, "accepted": False}
        proxy.asked.append(noted)
        if proxy.mode == "forbid":
            raise Refused(_FORBIDDEN)
        noted["accepted"] = True
        if proxy.mode == "other_certificate":
            return self._lie
        upstream = await asyncio.open_connection(LOOPBACK, self._port())
        port = upstream[1].get_extra_info("sockname")[1]
        self._relays[port] = proxy.name
        upstream[1].write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        try:
            head = await upstream[0].readuntil(b"\r\n\r\n")
        except EOFError:
            raise Refused(502) from None
        if not head.startswith(b"HTTP/1.1 2"):
            upstream[1].close()
            raise Refused(int(head.split()[1]))

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await asyncio.gather(_copy(reader, upstream[1]), _copy(upstream[0], writer))
            finally:
                self._relays.pop(port, None)
                upstream[1].transport.abort()

        return carry

    async def _lie(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.start_tls(self._other)


Tunnel = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Open = Callable[[str], Awaitable[Tunnel]]


async def _speak_http(
    proxy: Settings, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, open_: Open
) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ", 2)
    pairs = (line.partition(":") for line in head[1:])
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    given = headers.get("proxy-authorization", "Basic Og==").removeprefix("Basic ")
    username, _, password = base64.b64decode(given).decode().partition(":")
    try:
        if not proxy.accepts(username, password):
            proxy.asked.append({"target": target, "accepted": False})
            raise Refused(_WRONG_LOGIN)
        if method != "CONNECT":
            raise Refused(405)
        carry = await open_(target)
    except Refused as refused:
        phrase = {403: "Forbidden", 407: "Proxy Authentication Required"}.get(refused.status, "No")
        extra = 'Proxy-Authenticate: Basic realm="proxy"\r\n' if refused.status == 407 else ""
        answer = f"HTTP/1.1 {refused.status} {phrase}\r\n{extra}Content-Length: 0\r\n\r\n"
        writer.write(answer.encode())
        await writer.drain()
        return
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await carry(reader, writer)


async def _speak_socks(
    proxy: Settings, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, open_: Open
) -> None:
    version, count = await reader.readexactly(2)
    methods = await reader.readexactly(count)
    wanted = 2 if proxy.username or proxy.mode == "refuse" else 0
    if version != 5 or wanted not in methods:
        proxy.asked.append({"target": "", "accepted": False})
        writer.write(b"\x05\xff")
        return await writer.drain()
    writer.write(bytes([5, wanted]))
    if wanted:
        await reader.readexactly(1)
        username, password = [
            (await reader.readexactly((await reader.readexactly(1))[0])).decode() for _ in range(2)
        ]
        accepted = proxy.accepts(username, password)
        writer.write(bytes([1, not accepted]))
        if not accepted:
            proxy.asked.append({"target": "", "accepted": False})
            return await writer.drain()
    _, _, _, kind = await reader.readexactly(4)
    size = (await reader.readexactly(1))[0] if kind == 3 else 4
    name = await reader.readexactly(size)
    host = name.decode() if kind == 3 else ".".join(map(str, name))
    port = int.from_bytes(await reader.readexactly(2), "big")
    try:
        carry = await open_(f"{host}:{port}")
    except Refused as refused:
        writer.write(bytes([5, _SOCKS_REPLIES.get(refused.status, 1), 0, 1, *bytes(6)]))
        return await writer.drain()
    writer.write(bytes([5, 0, 0, 1, *bytes(6)]))
    await carry(reader, writer)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on until one side ends, which ends the other."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


def _described(proxy: Settings) -> dict[str, Any]:
    names = ("name", "kind", "mode", "url")
    return {**{name: getattr(proxy, name) for name in names}, "asked": list(proxy.asked)}
