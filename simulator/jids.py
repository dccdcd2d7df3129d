"""WhatsApp's addresses (JIDs)."""

from __future__ import annotations

from dataclasses import dataclass

USER_SERVER = "s.whatsapp.net"
LID_SERVER = "lid"


@dataclass(frozen=True, slots=True)
class Jid:
    """An address: `user:device@server`; device 0 is the phone itself and is not written."""

    user: str
    server: str
    device: int = 0

    def __str__(self) -> str:
        device = f":{self.device}" if self.device else ""
        user = f"{self.user}{device}@" if self.user else ""
        return user + self.server


SERVER = Jid("", USER_SERVER)


def parse_jid(text: str) -> Jid:
    """Parse `user[:device]@server`. Raises ValueError."""
    left, at, server = text.partition("@")
    user, colon, device = left.partition(":")
    if not (at and user and server) or (colon and not device.isdecimal()):
        raise ValueError("not a JID")
    return Jid(user, server, int(device) if colon else 0)
