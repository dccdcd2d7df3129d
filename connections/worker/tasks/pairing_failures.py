"""The failures that end a pairing, or one client of it."""

from __future__ import annotations

from datetime import datetime

from connections.lifecycle import AnyObservation, Reason
from connections.worker.child.go_errors import cause_of
from connections.worker.tasks.event_mapping import INVALID_CREDENTIALS

# After these an accepted phone stays linked, and the login is retried.
RETRYABLE = frozenset({Reason.TEMPORARILY_BANNED, Reason.CLIENT_OUTDATED})
# After these the store holds no valid link of this organization.
NOT_LINKABLE = INVALID_CREDENTIALS | {Reason.WRONG_NUMBER, Reason.NUMBER_IN_USE}


class PairingFailed(Exception):
    """The pairing ended, and no phone is linked."""

    def __init__(
        self, observation: AnyObservation, detail: str = "", until: datetime | None = None
    ) -> None:
        super().__init__(observation)
        self.observation = observation
        self.detail = detail
        self.until = until


class DialFailed(Exception):
    """WhatsApp gave no code; a retry may succeed. Its text has the detail, if any.

    `reason`: UNREACHABLE, UNAVAILABLE if it answered, or what the organization's proxy did.
    """

    def __init__(self, detail: str = "", reason: AnyObservation = Reason.UNREACHABLE) -> None:
        super().__init__(detail)
        self.reason = reason


class CodeLost(Exception):
    """The connection broke while a code was shown, which is void now; a retry gives a new one."""


def pairing_failure(error: str) -> PairingFailed:
    """Return the failure for the library's error about a phone that scanned the code."""
    if cause_of(error) == "store":
        return PairingFailed(Reason.STORE_FAILED)
    if "HMAC" in error or "signature" in error:
        return PairingFailed(Reason.PAIRING_UNVERIFIED, "its signature is wrong")
    return PairingFailed(Reason.PAIRING_UNVERIFIED, "it could not be read")
