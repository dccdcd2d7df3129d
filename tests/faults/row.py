"""The fields of a row of the fault table."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum

from connections.lifecycle import Reason, State

LONG = os.environ.get("FAULTS_LONG") == "1"
"""Whether outages last a realistic minute, and not just long enough to be detected."""
FAULT_SECONDS = 60.0 if LONG else 8.0


class Phase(StrEnum):
    """The state of the organization at the start of the fault."""

    LINKED = "linked"
    PAIRING = "pairing"


class Recovery(StrEnum):
    """How the organization recovers."""

    AUTOMATIC = "back by itself"
    RESUMES = "Reconnect resumes it, without a code"
    NEW_CODE = "Reconnect gives a new code"
    DONE = "disconnected, as was asked"


class Credentials(StrEnum):
    """What happens to the stored credentials."""

    KEPT = "kept"
    UNUSED = "kept on the disk until the next link, but not used"
    GONE = "deleted"
    NONE_YET = "none yet"
    NOT_ADOPTED = "thrown away"
    LOST = "lost before"


Status = tuple[State, Reason]


@dataclass(frozen=True)
class Row:
    """A fault with its expected status and recovery. Times are in seconds.

    `expected`: the status within `expected_within`; None if the fault is too short to see.
    `within`: until recovery, from the end of the fault; or until a user can act, from its start.
    """

    phase: Phase
    fault: str
    what: str
    expected: Status | None
    recovery: Recovery = Recovery.AUTOMATIC
    within: float = 10
    credentials: Credentials = Credentials.KEPT
    expected_within: float = 10
    test_within: float = 0  # `within` with the shorter settings of the tests
    test_expected_within: float = 0  # the same for `expected_within`
    reconnect_within: float = 0  # 0: the first Reconnect after the fault succeeds
    has_duration: bool = False  # `within` counts from its end
    unnoticed_outcome: str = ""  # the outcome where the status does not change
    before_code: bool = False  # the pairing starts during the fault
    same_code: bool = False  # the current code stays valid
    max_events: int = 0  # 0: any number
    neighbours: int = 0  # how many other organizations the row needs

    def __str__(self) -> str:
        return f"{self.phase}-{self.fault}"
