"""The delivery of messages to a companion, with the faults of a bad network or server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from simulator.faults import Fault, Faults
from simulator.nodes import Node
from simulator.roles import ClientConnection

Sent = Callable[[Node], None]
"""Is called with each stanza that is written to a connection."""


class Delivery:
    """Writes stanzas to connections."""

    def __init__(self, faults: Faults, sent: Sent) -> None:
        self._faults = faults
        self._sent = sent
        self._held: dict[str, list[Node]] = {}

    def send(self, connection: ClientConnection, node: Node) -> bool:
        """Write a stanza, unless a fault delays it; messages may be corrupted or repeated.

        Returns whether it may arrive: False when a fault lets it get lost.
        """
        if node.tag == "receipt" and self._faults.take("receipts_lost", connection):
            return False
        if node.tag != "message":
            self._write(connection, node)
            return True
        if self._faults.take("unreadable", connection):
            node = corrupted(node)
        twice = self._faults.take("deliver_twice", connection)
        for _ in range(twice.integer("times") if twice else 1):
            self._send_message(connection, node)
        return True

    def _send_message(self, connection: ClientConnection, node: Node) -> None:
        if fault := self._faults.take("deliver_late", connection):
            seconds = fault.integer("ms") / 1000
            asyncio.get_running_loop().call_later(seconds, self._write, connection, node)
        elif fault := self._faults.take("deliver_reversed", connection):
            self._hold(connection, node, fault)
        else:
            self._write(connection, node)

    def _hold(self, connection: ClientConnection, node: Node, fault: Fault) -> None:
        """Hold messages until there are enough or the time is over, then send the last first."""
        held = self._held.setdefault(connection.id, [])
        held.append(node)
        if len(held) >= fault.integer("messages"):
            self._release(connection)
        elif len(held) == 1:
            seconds = fault.integer("ms") / 1000
            asyncio.get_running_loop().call_later(seconds, self._release, connection)

    def _release(self, connection: ClientConnection) -> None:
        for node in reversed(self._held.pop(connection.id, [])):
            self._write(connection, node)

    def _write(self, connection: ClientConnection, node: Node) -> None:
        if connection.state != "closing":
            connection.send(node)
            self._sent(node)


def corrupted(node: Node) -> Node:
    """Return a message whose encrypted parts cannot be decrypted."""
    return Node(node.tag, node.attrs, [_corrupted_part(child) for child in node.children()])


def _corrupted_part(part: Node) -> Node:
    data = part.data()
    if part.tag != "enc" or not data:
        return part
    # The last bytes are those of a MAC or, in a `pkmsg`, numbers behind it.
    middle = len(data) // 2
    return Node("enc", part.attrs, data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
