"""Which phones are switched off. What is for them waits at the server, as for any device."""

from __future__ import annotations

from simulator.nodes import Node
from simulator.phone import Phone

from .mailbox import Mailboxes
from .store import ChatStore


class PhoneOff(Exception):
    """The phone is off, and does nothing."""

    def __init__(self) -> None:
        super().__init__("the phone is off")


class Switches:
    """Which phones are off, over restarts as well. Their companions stay linked and connected.

    A phone that is off shows no sign: it confirms no copy, asks for nothing again, and its owner
    writes and reads nothing.
    """

    def __init__(self, store: ChatStore, mailboxes: Mailboxes) -> None:
        self._store = store
        self._mailboxes = mailboxes
        self._off = set(store.phones_off())

    def is_off(self, phone: Phone) -> bool:
        """Return whether a phone is off."""
        return phone.number in self._off

    def require_on(self, phone: Phone) -> None:
        """Raise PhoneOff if it is."""
        if self.is_off(phone):
            raise PhoneOff

    def hold(self, phone: Phone, node: Node) -> None:
        """Keep a stanza for a phone that is off."""
        self._mailboxes.of(phone.jid(0)).put(node)

    def turn_off(self, phone: Phone) -> None:
        """Switch a phone off."""
        self._off.add(phone.number)
        self._store.save_phone_off(phone.number)

    def turn_on(self, phone: Phone) -> list[Node]:
        """Switch a phone on; return the stanzas that waited for it, in order."""
        self._off.discard(phone.number)
        self._store.delete_phone_off(phone.number)
        return self._mailboxes.delete(phone.jid(0))

    def clear(self) -> None:
        """Forget all phones; they are deleted elsewhere."""
        self._off.clear()
