"""What the driver knows of each organization, whatever the product says."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field

CONNECTED, DISCONNECTED = "connected", "disconnected"


@dataclass
class Account:
    """An organization with its phone: what people asked of it, and what has excused a loss."""

    id: int
    phone: str
    desired: str = DISCONNECTED
    # The device that must be linked and stay so; "" where something excuses that it is not.
    jid: str = ""
    # Devices that WhatsApp may go on listing: the product was told that they are gone.
    abandoned: set[str] = field(default_factory=set)
    # How each device of its phone came and went: one that a person has disconnected must be gone
    # at WhatsApp, too, unless the history says that WhatsApp was not told.
    devices: dict[str, str] = field(default_factory=dict)
    # Reasons for which a person may be needed although its device is linked.
    allowed: set[str] = field(default_factory=set)
    # A scan broke off: WhatsApp may list a device that no one else knows.
    uncertain: bool = False
    scanned: str = ""  # the code that its phone has accepted last
    old_code: str = ""
    # Held for a whole action of a person; people do not act on one organization at once.
    acting: threading.Lock = field(default_factory=threading.Lock)
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=40))
    _ledger: threading.Lock = field(default_factory=threading.Lock)
    _excuses: int = 0
    _poisoned_until: float = 0.0

    def note(self, text: str) -> None:
        """Remember something for the account of a violation."""
        self.notes.append(f"{_now()} {text}")

    def excuse(self, why: str, *, known_at_whatsapp: bool = False, lasts: float = 0.0) -> None:
        """From now on its device need not be linked; for `lasts` seconds nor need a newer one.

        To be called before the harm is done. `known_at_whatsapp`: WhatsApp goes on listing it.
        """
        with self._ledger:
            self._excuses += 1
            self._poisoned_until = max(self._poisoned_until, time.monotonic() + lasts)
            if self.jid and known_at_whatsapp:
                self.abandoned.add(self.jid)
            self._lose(why)

    def leave(self, why: str) -> None:
        """A person is about to disconnect it."""
        with self._ledger:
            self._excuses += 1
            self._lose(why)

    def _lose(self, why: str) -> None:
        if self.jid:
            self.devices[self.jid] += f", {_now()} {why}"
        self.jid = ""
        self.note(why)

    @property
    def excuses(self) -> int:
        """How many there have been; to be remembered before a scan."""
        return self._excuses

    def linked(self, jid: str, excuses_before: int) -> None:
        """Its phone has linked a device, and nothing has happened to it since the scan began."""
        with self._ledger:
            self.devices[jid] = f"{_now()} scanned"
            if self._excuses == excuses_before and time.monotonic() > self._poisoned_until:
                self.jid = jid
            else:
                self.abandoned.add(jid)
        self.note(f"scanned: {jid}")


def _now() -> str:
    return time.strftime("%H:%M:%S", time.gmtime())
