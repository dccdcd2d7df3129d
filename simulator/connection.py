"""A client's connection, from the answer to its proxy request to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from collections import deque
from collections.abc import Callable

from . import nodes, wire
from .certificates import NoiseIdentity
from .jids import SERVER
from .nodes import Node
from .noise import Cipher, NoiseError, Responder
from .roles import GRACE_SECONDS, ClientConnection, Role
from .stanzas import is_logout, is_message, is_ping, stream_error
from .transport import TARGET, Channel, ProxyRequest, TransportError, status_line
from .world import World

ChooseRole = Callable[[World, ClientConnection, bytes, wire.Message], Role | None]
"""Returns the purpose of a client with this key and payload, or None after refusing it."""

log = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 30.0
_SILENT_HELLO_SECONDS = 60.0
_IDLE_SECONDS = 180.0
_RESTART_GRACE = 5.0
_CLOSE_SECONDS = 2.0


class Connection:
    """A live connection; `run` returns when it ends."""

    def __init__(
        self,
        world: World,
        request: ProxyRequest,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.world = world
        self._request = request
        self.id = world.new_id()
        self.since = time.time()
        self.role: Role | None = None
        self.refs_issued = 0
        self._deadline: float | None = None
        self._limit: asyncio.Timeout | None = None
        self._channel = Channel(reader, writer, world.store.commit)
        self._cipher: Cipher | None = None
        self._delayed: deque[Node] = deque()
        self._last_due = 0.0
        self._closing = False
        self._ids = 0

    @property
    def state(self) -> str:
        """Return handshake, pairing, logging_in, online or closing."""
        if self._closing:
            return "closing"
        return self.role.state if self.role else "handshake"

    @property
    def number(self) -> str:
        """Return the phone number, empty while unknown."""
        return self.role.number if self.role else ""

    @property
    def jid(self) -> str:
        """Return the device's address, empty while unknown."""
        return self.role.jid if self.role else ""

    @property
    def proxy(self) -> str:
        """Return the name of the proxy that it came through, empty for the simulator's own."""
        return self._request.proxy

    @property
    def backlog(self) -> int:
        """Return how many bytes the client has not read yet, beyond the network's buffers."""
        return self._channel.backlog

    async def run(
        self,
        identity: NoiseIdentity,
        certificate: bytes,
        tls: ssl.SSLContext,
        choose_role: ChooseRole,
    ) -> None:
        """Serve the client until the connection ends; a client's errors raise no exception."""
        self.world.connections[self.id] = self
        self.world.statistics.dials += 1
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS) as limit:
                client = await self._handshake(identity, certificate, tls, limit)
            if client is not None:
                incoming, static, payload = client
                self.role = choose_role(self.world, self, static, payload)
                if self.role:
                    self.role.start()
                await self._serve(incoming)
            await asyncio.wait_for(self._channel.finish(), GRACE_SECONDS)
        except (TransportError, TimeoutError) as error:
            log.debug("connection ended", extra={"connection": self.id, "why": str(error)})
        except (NoiseError, nodes.NodeError, wire.WireError) as error:
            self.world.statistics.protocol_errors += 1
            log.warning("client broke the protocol: %s", error, extra={"connection": self.id})
        finally:
            self._closing = True
            self._channel.abort()
            self.world.connections.pop(self.id, None)
            if self.role:
                self.role.end()

    def send(self, node: Node) -> None:
        """Send a stanza, delayed by an armed `delay`; dropped when the client is gone."""
        fault = self.world.faults.take("delay", self)
        loop = asyncio.get_running_loop()
        if fault is None and not self._delayed:
            self._write(node)
            return
        due = loop.time() + (fault.integer("ms") / 1000 if fault else 0)
        # A stanza is never sent before one that was queued earlier.
        self._last_due = max(self._last_due, due)
        self._delayed.append(node)
        loop.call_at(self._last_due, self._write_delayed)

    def answer(self, query: Node, content: list[Node] | None = None) -> None:
        """Send the result of a query."""
        attrs: dict[str, nodes.Attribute] = {"from": SERVER, "type": "result"}
        self.send(Node("iq", {**attrs, "id": query.get("id")}, content))

    def next_id(self) -> str:
        """Return a new id for a stanza from the server."""
        self._ids += 1
        return f"s{self._ids}"

    def send_final(self, node: Node, grace: float = GRACE_SECONDS) -> None:
        """Send a stanza that ends the stream, and close after `grace` seconds.

        A client that sees the close before it has handled the stanza would treat it as a lost
        connection.
        """
        if not self._closing:
            self.send(node)
            self.close_later(grace)

    def close_later(self, grace: float = GRACE_SECONDS) -> None:
        """Close the WebSocket after `grace` seconds unless the client does."""
        self._closing = True
        loop = asyncio.get_running_loop()
        loop.call_at(max(loop.time(), self._last_due) + grace, self.close)

    def close(self, code: int = 1000) -> None:
        """Send a Close frame now, and abort TCP when the client does not answer it."""
        self._closing = True
        try:
            self._channel.close(code)
        except TransportError as error:
            log.debug("closed already", extra={"connection": self.id, "why": str(error)})
        # Frees the socket of a client that does not answer the close.
        asyncio.get_running_loop().call_later(_CLOSE_SECONDS, self._channel.abort)

    def expire_in(self, seconds: float) -> None:
        """Set the connection's deadline to `seconds` from now."""
        self._deadline = asyncio.get_running_loop().time() + seconds
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(self._end_time())

    def restart(self) -> None:
        """Ask the client to reconnect, and close the connection if it does not."""
        self.send_final(stream_error(515), _RESTART_GRACE)

    def abort(self) -> None:
        """Close the TCP connection now."""
        self._closing = True
        self._channel.abort()

    async def _handshake(
        self,
        identity: NoiseIdentity,
        certificate: bytes,
        tls: ssl.SSLContext,
        limit: asyncio.Timeout,
    ) -> tuple[Cipher, bytes, wire.Message] | None:
        """Return the cipher, the client's key and its payload; None after refusing the client."""
        if refusal := self._refusal(self._request.target):
            self.world.statistics.refused += 1
            if refusal != "abort":
                self._channel.answer_proxy_request(refusal)
            return None
        self._channel.answer_proxy_request("200 Connection established")
        await self._channel.secure(tls)
        fault = self.world.faults.take("http_503", self)
        if not await self._channel.upgrade(fault.integer("status") if fault else None):
            self.world.statistics.refused += 1
            return None
        noise = Responder(identity.static, certificate)
        hello = await self._channel.receive()
        await self._apply_handshake_faults(limit)
        self._channel.send(noise.hello(hello))
        static, payload = noise.finish(await self._channel.receive())
        incoming, self._cipher = noise.split()
        self.world.statistics.handshakes += 1
        return incoming, static, wire.decode(payload)

    async def _apply_handshake_faults(self, limit: asyncio.Timeout) -> None:
        now = asyncio.get_running_loop().time()
        if self.world.faults.take("no_server_hello", self):
            limit.reschedule(now + _SILENT_HELLO_SECONDS)
            await self._channel.receive()
        elif fault := self.world.faults.take("slow_handshake", self):
            due = now + fault.integer("ms") / 1000
            limit.reschedule(due + HANDSHAKE_SECONDS)
            # Read meanwhile, to notice a client that gives up.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._channel.receive()

    def _refusal(self, target: str) -> str:
        if target != TARGET:
            return status_line(403)
        if self.world.faults.take("refuse_tcp", self):
            return "abort"
        if fault := self.world.faults.take("refuse", self):
            return status_line(fault.integer("status"))
        return ""

    async def _serve(self, incoming: Cipher) -> None:
        while True:
            async with asyncio.timeout_at(self._end_time()) as self._limit:
                frame = await self._channel.receive()
            self._limit = None
            node = nodes.decode(incoming.open(frame))
            if self.role and not self._closing and not self._is_ignored(node):
                self.role.handle(node)

    def _end_time(self) -> float:
        idle = asyncio.get_running_loop().time() + _IDLE_SECONDS
        return min(idle, self._deadline or idle)

    def _is_ignored(self, node: Node) -> bool:
        faults = self.world.faults
        return bool(
            faults.take("silence", self)
            or (is_ping(node) and faults.take("no_pong", self))
            or (is_message(node) and faults.take("no_ack", self))
            or (is_logout(node) and faults.take("no_logout_answer", self))
        )

    def _write(self, node: Node) -> None:
        if self._cipher is None:
            return
        try:
            self._channel.send(self._cipher.seal(nodes.encode(node)))
        except TransportError as error:
            log.debug("stanza not sent", extra={"connection": self.id, "why": str(error)})

    def _write_delayed(self) -> None:
        self._write(self._delayed.popleft())
