"""How a pairing, or one connection of it, can end."""

from __future__ import annotations

from datetime import datetime

from connections.lifecycle import AnyObservation, Reason
from connections.worker.child.go_errors import cause_of
from connections.worker.tasks.event_mapping import USELESS

# After these, what lies in the store is nobody's link.
HELD = frozenset({Reason.TEMPORARILY_BANNED, Reason.CLIENT_OUTDATED})
NOT_OURS = USELESS | {Reason.WRONG_NUMBER, Reason.NUMBER_IN_USE}


class Failed(Exception):
    """The pairing is over, and no phone is linked."""

    def __init__(
        self, observation: AnyObservation, detail: str = "", until: datetime | None = None
    ) -> None:
        super().__init__(observation)
        self.observation = observation
        self.detail = detail
        self.until = until


class DialFailed(Exception):
    """WhatsApp could not be reached; another try may. Its text says more, if more is known."""


class CodeLost(Exception):
    """The connection broke under a code, which is void now; another try gives another code."""


def not_paired(error: str) -> Failed:
    """Return why the library did not link a phone that has answered, by its error."""
    if cause_of(error) == "store":
        return Failed(Reason.STORE_FAILED)
    if "HMAC" in error or "signature" in error:
        return Failed(Reason.PAIRING_UNVERIFIED, "its signature is wrong")
    return Failed(Reason.PAIRING_UNVERIFIED, "it could not be read")
