"""What a row of the fault table says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum

from connections.lifecycle import Reason, State

LONG = os.environ.get("FAULTS_LONG") == "1"
"""Outages as long as they are in life: a minute. Otherwise just long enough to be told."""
LASTS = 60.0 if LONG else 8.0


class Phase(StrEnum):
    """What the organization is doing when it happens."""

    LINKED = "linked"
    PAIRING = "pairing"


class Goes(StrEnum):
    """How it goes on."""

    ON = "back by itself"
    RESUMES = "Reconnect resumes it, without a code"
    NEW_CODE = "Reconnect gives a new code"
    DONE = "disconnected, as was asked"


class Kept(StrEnum):
    """What becomes of the credentials on the server's disk."""

    KEPT = "kept"
    UNUSED = "kept on the disk until the next link, but not used"
    GONE = "deleted"
    NEVER = "none yet"
    NOT_ADOPTED = "thrown away"
    LOST = "lost before"


Told = tuple[State, Reason]


@dataclass(frozen=True)
class Row:
    """A fault, and what it leads to.

    `told`: what people read, within `told_within` seconds; None when it is over too fast to tell.
    `within`: until it is back, from the fault's end on; or until a person can act, from its start.
    """

    phase: Phase
    fault: str
    what: str
    told: Told | None
    goes: Goes = Goes.ON
    within: float = 10
    kept: Kept = Kept.KEPT
    told_within: float = 10
    within_here: float = 0  # `within`, where the tests have a shorter setting than the default
    told_within_here: float = 0  # the same of `told_within`
    reconnect_within: float = 0  # 0: the first press of Reconnect after the fault's end helps
    lasts: bool = False  # `within` counts from its end
    unseen: str = ""  # how it goes on where nothing is told
    before_the_code: bool = False  # a pairing begins under the fault, rather than suffering it
    same_code: bool = False  # the code that is shown stays good
    most_lines: int = 0  # of history for all of it; 0: any number
    mates: int = 0  # how many other organizations it takes

    def __str__(self) -> str:
        return f"{self.phase}-{self.fault}"
