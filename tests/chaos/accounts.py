"""The driver's own record of each organization, independent of the product."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field

CONNECTED, DISCONNECTED = "connected", "disconnected"


@dataclass
class Account:
    """An organization with its phone, its expected state, and the losses that faults explain."""

    id: int
    phone: str
    former_phones: list[str] = field(default_factory=list)
    desired: str = DISCONNECTED
    # The device that must stay linked; "" if a fault explains its loss.
    jid: str = ""
    # Devices that WhatsApp may still list, because only the product was told of their end.
    ignored_devices: set[str] = field(default_factory=set)
    # The story of each device. A disconnected one must be gone at WhatsApp, too, unless the history
    # says that WhatsApp could not be told.
    devices: dict[str, str] = field(default_factory=dict)
    # Reasons that may require a user although the device is linked.
    allowed_reasons: set[str] = field(default_factory=set)
    # A scan was interrupted: WhatsApp may list a device that the product does not know.
    has_unclear_scan: bool = False
    last_scanned_code: str = ""  # the code that its phone has accepted last
    old_code: str = ""
    # Some messages could not be decrypted at first, in either direction.
    has_unreadable: bool = False
    # Held during an action, so that only one user acts on an organization at a time.
    busy: threading.Lock = field(default_factory=threading.Lock)
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=40))
    # The device that a person disconnects, until the product says that this is done.
    _leaving: str = ""
    _ledger: threading.Lock = field(default_factory=threading.Lock)
    _losses_allowed: int = 0
    _unclear_until: float = 0.0

    def log_note(self, text: str) -> None:
        """Add a line to the report of a violation."""
        self.notes.append(f"{_now()} {text}")

    def allow_loss(
        self, why: str, *, known_at_whatsapp: bool = False, seconds: float = 0.0
    ) -> None:
        """Accept the loss of its device, and of new ones for `seconds`.

        Call it before the fault. `known_at_whatsapp`: WhatsApp still lists the device.
        """
        with self._ledger:
            self._losses_allowed += 1
            self._unclear_until = max(self._unclear_until, time.monotonic() + seconds)
            if known_at_whatsapp:
                # A disconnect that is under way finds it unknown as well, and need not tell.
                self.ignored_devices |= {self.jid, self._leaving} - {""}
            self._record_loss(why)

    def expect_disconnect(self, why: str) -> None:
        """Record that a user is about to disconnect it."""
        with self._ledger:
            self._losses_allowed += 1
            self._leaving = self.jid or self._leaving
            self._record_loss(why)

    def confirm_disconnect(self) -> None:
        """Record that the product has finished a disconnect."""
        with self._ledger:
            self._leaving = ""

    def _record_loss(self, why: str) -> None:
        if self.jid:
            self.devices[self.jid] += f", {_now()} {why}"
        self.jid = ""
        self.log_note(why)

    @property
    def losses_allowed(self) -> int:
        """Return the number of accepted losses, to compare before and after a scan."""
        return self._losses_allowed

    def linked(self, jid: str, excuses_before: int) -> None:
        """Record a scanned device. It must stay linked unless a loss was accepted meanwhile."""
        with self._ledger:
            self.devices[jid] = f"{_now()} scanned"
            if self._losses_allowed == excuses_before and time.monotonic() > self._unclear_until:
                self.jid = jid
            else:
                self.ignored_devices.add(jid)
        self.log_note(f"scanned: {jid}")


def _now() -> str:
    return time.strftime("%H:%M:%S", time.gmtime())
