"""A mailbox for each companion: stanzas wait there until the companion confirms them."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, replace

from simulator import nodes
from simulator.jids import SERVER, Jid
from simulator.nodes import Attribute, Node
from simulator.roles import ClientConnection

from .delivery import Delivery
from .store import ChatStore

_MAX_BACKLOG = 1 << 20
_BACKLOG_SECONDS = 0.02


@dataclass(slots=True)
class Waiting:
    """A stanza that waits, and its number in the store."""

    seq: int
    node: Node


def key_of(node: Node) -> str:
    """Return what identifies a stanza when its companion confirms it."""
    kind = node.get("type") if node.tag == "receipt" else ""
    return key(node.tag, node.get("id"), node.get("from"), kind)


def key(tag: str, stanza_id: str, sender: str, kind: str = "") -> str:
    """Return the key of a stanza; `kind` is the type of a receipt."""
    return f"{tag} {stanza_id} {sender} {kind}"


class Mailbox:
    """The stanzas for one companion that it has not confirmed, and their delivery."""

    def __init__(self, jid: Jid, store: ChatStore, delivery: Delivery) -> None:
        self._jid = jid
        self._store = store
        self._delivery = delivery
        self._waiting: dict[str, Waiting] = {}
        self._unsent: deque[Waiting] = deque()
        self._connection: ClientConnection | None = None
        self._offline: Waiting | None = None
        self._offline_count = 0
        self._paused = False

    def __len__(self) -> int:
        return len(self._waiting)

    def load(self, seq: int, node: Node) -> None:
        """Add a stored stanza."""
        self._waiting[key_of(node)] = Waiting(seq, node)

    def put(self, node: Node) -> None:
        """Store a stanza, and deliver it now or when the companion is there again.

        It replaces one with the same key, as a second copy of a message that could not be read.
        """
        if older := self._waiting.pop(key_of(node), None):
            self._store.delete_waiting(older.seq)
        waiting = Waiting(self._store.add_waiting(self._jid, nodes.encode(node)), node)
        self._waiting[key_of(node)] = waiting
        if self._connection is not None:
            self._unsent.append(waiting)
            self._pump()

    def put_if_online(self, node: Node) -> None:
        """Deliver a stanza that is not worth keeping."""
        if self._connection is not None:
            self._connection.send(node)

    def confirm(self, stanza: str) -> bool:
        """Remove the stanza with a key; return whether there was one."""
        waiting = self._waiting.pop(stanza, None)
        if waiting is not None:
            self._store.delete_waiting(waiting.seq)
        return waiting is not None

    def attach(self, connection: ClientConnection) -> None:
        """Deliver on a connection from now on: first what waits, between the offline markers."""
        self._connection = connection
        self._unsent = deque(self._waiting.values())
        self._offline = self._unsent[-1] if self._unsent else None
        self._offline_count = len(self._unsent)
        if self._offline is None:
            self._send_marker(Node("offline", {"count": "0"}))
            return
        tags = Counter(waiting.node.tag for waiting in self._unsent)
        counts: dict[str, Attribute] = {"count": str(len(self._unsent)), "appdata": "0"}
        counts |= {tag: str(tags[tag]) for tag in ("message", "receipt", "notification")}
        self._send_marker(Node("offline_preview", counts))
        self._unsent = deque(
            replace(waiting, node=_with(waiting.node, "offline", str(index)))
            for index, waiting in enumerate(self._unsent)
        )
        self._offline = self._unsent[-1]
        self._pump()

    def detach(self, connection: ClientConnection) -> None:
        """Deliver nothing more on a connection."""
        if self._connection is connection:
            self._connection = None
            self._unsent.clear()

    def clear(self) -> list[Node]:
        """Delete all stanzas, and return them."""
        dropped = [waiting.node for waiting in self._waiting.values()]
        self._waiting.clear()
        self._unsent.clear()
        self._store.delete_all_waiting(self._jid)
        return dropped

    def _pump(self) -> None:
        """Write what waits, as far as the companion reads it."""
        while self._unsent and self._connection is not None and not self._paused:
            if self._connection.backlog > _MAX_BACKLOG:
                self._paused = True
                asyncio.get_running_loop().call_later(_BACKLOG_SECONDS, self._resume)
                return
            waiting = self._unsent.popleft()
            self._deliver(waiting, self._connection)
            if waiting is self._offline:
                self._offline = None
                self._send_marker(Node("offline", {"count": str(self._offline_count)}))

    def _deliver(self, waiting: Waiting, connection: ClientConnection) -> None:
        """Send a stanza, unless it was confirmed or replaced meanwhile."""
        stanza = key_of(waiting.node)
        current = self._waiting.get(stanza)
        if current is None or current.seq != waiting.seq:
            return
        if not self._delivery.send(connection, waiting.node):
            self.confirm(stanza)

    def _resume(self) -> None:
        self._paused = False
        self._pump()

    def _send_marker(self, marker: Node) -> None:
        if self._connection is not None:
            self._connection.send(Node("ib", {"from": SERVER}, [marker]))


class Mailboxes:
    """The mailboxes of all companions; a mailbox exists as soon as it is asked for."""

    def __init__(self, store: ChatStore, delivery: Delivery) -> None:
        self._store = store
        self._delivery = delivery
        self._boxes: dict[Jid, Mailbox] = {}

    def load(self, devices: dict[str, Jid]) -> None:
        """Load the stored stanzas. `devices`: the linked devices by the text of their address."""
        for seq, device, data in list(self._store.waiting()):
            if device in devices:
                self.of(devices[device]).load(seq, nodes.decode(data))
            else:
                self._store.delete_waiting(seq)

    def of(self, device: Jid) -> Mailbox:
        """Return the mailbox of a device."""
        box = self._boxes.get(device)
        if box is None:
            box = self._boxes[device] = Mailbox(device, self._store, self._delivery)
        return box

    def delete(self, device: Jid) -> list[Node]:
        """Delete a mailbox with its stanzas, and return them."""
        dropped = self.of(device).clear()
        del self._boxes[device]
        return dropped

    def clear(self) -> None:
        """Forget all mailboxes; their stanzas are deleted elsewhere."""
        self._boxes.clear()


def _with(node: Node, name: str, value: str) -> Node:
    return Node(node.tag, {**node.attrs, name: value}, node.content)
