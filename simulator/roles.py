"""A live connection and its purpose, as the world and the other modules see them."""

from __future__ import annotations

from typing import Protocol

from .nodes import Node
from .phone import Code, Phone
from .store import Device

GRACE_SECONDS = 0.5


class Role(Protocol):
    """The purpose of a connection after the handshake: a pairing or a device's session."""

    state: str

    @property
    def number(self) -> str:
        """Return the phone number, empty while unknown."""

    @property
    def jid(self) -> str:
        """Return the device's address, empty while unknown."""

    def start(self) -> None:
        """Send the first stanzas."""

    def handle(self, node: Node) -> None:
        """Answer one stanza."""

    def end(self) -> None:
        """Clean up after the connection has ended."""


class PairingRole(Role, Protocol):
    """The role of a connection that shows codes which a phone can scan."""

    noise_key: bytes

    async def link(self, phone: Phone, code: Code) -> Device:
        """Link the companion to a phone that has scanned its code."""


class ClientConnection(Protocol):
    """A live connection: what its role, the faults and the control API do with it."""

    id: str
    since: float
    role: Role | None
    refs_issued: int

    @property
    def state(self) -> str:
        """Return handshake, pairing, logging_in, online or closing."""

    @property
    def number(self) -> str:
        """Return the phone number, empty while unknown."""

    @property
    def jid(self) -> str:
        """Return the device's address, empty while unknown."""

    @property
    def proxy(self) -> str:
        """Return the name of the proxy that it came through, empty for the simulator's own."""

    @property
    def backlog(self) -> int:
        """Return how many bytes the client has not read yet, beyond the network's buffers."""

    def send(self, node: Node) -> None:
        """Send a stanza."""

    def answer(self, query: Node, content: list[Node] | None = None) -> None:
        """Send the result of a query."""

    def next_id(self) -> str:
        """Return a new id for a stanza from the server."""

    def send_final(self, node: Node, grace: float = GRACE_SECONDS) -> None:
        """Send a stanza that ends the stream, and close after `grace` seconds."""

    def close_later(self, grace: float = GRACE_SECONDS) -> None:
        """Close the WebSocket after `grace` seconds unless the client does."""

    def close(self, code: int = 1000) -> None:
        """Send a Close frame now."""

    def expire_in(self, seconds: float) -> None:
        """Set the connection's deadline to `seconds` from now."""

    def restart(self) -> None:
        """Ask the client to reconnect."""

    def abort(self) -> None:
        """Close the TCP connection now."""
