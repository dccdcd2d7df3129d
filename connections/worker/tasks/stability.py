"""Tracks how stable an organization's link is, across clients and requests."""

from __future__ import annotations

import random
from dataclasses import dataclass

# A link counts as stable after so many seconds; an earlier drop counts as a failed login.
STABLE_SECONDS = 30.0
# Seconds to wait after each dropped login in a row.
PAUSES = (0.5, 5.0, 12.0, 30.0, 60.0, 120.0, 300.0)
# After so many logins in a row without an answer, the link is not called unstable any more.
MAX_CUT_OFF = 3
# If no login was accepted it may be an outage, whose end should be detected sooner.
MAX_OUTAGE_PAUSE = 60.0
# One drop may be an accident; from the second one on the link is called unstable.
UNSTABLE_DROPS = 2
JITTER = (0.7, 1.0)


@dataclass
class Stability:
    """The outcome of an organization's logins since its link was last stable."""

    drops: int = 0  # logins in a row that were dropped before they were stable
    login_accepted: bool = False  # whether WhatsApp accepted one of them
    cut_off: int = 0  # the newest ones in a row that it did not answer
    refused_since: float | None = None  # by the event loop's clock

    @property
    def unstable(self) -> bool:
        """Return whether logins are accepted and dropped again and again."""
        return self.login_accepted and self.cut_off < MAX_CUT_OFF and self.drops >= UNSTABLE_DROPS

    def record_drop(self, login_accepted: bool) -> float:
        """Record an early drop. Return the seconds to wait before the next login."""
        self.drops += 1
        self.login_accepted = self.login_accepted or login_accepted
        self.cut_off = 0 if login_accepted else self.cut_off + 1
        pause = PAUSES[min(self.drops, len(PAUSES)) - 1]
        if not self.login_accepted:
            pause = min(pause, MAX_OUTAGE_PAUSE)
        return pause * random.uniform(*JITTER)

    def record_refusal(self, now: float) -> float:
        """Record a refused login. Return for how many seconds logins have been refused."""
        if self.refused_since is None:
            self.refused_since = now
        return now - self.refused_since

    def record_login(self) -> None:
        """Record an accepted login."""
        self.refused_since = None

    def record_stable(self) -> None:
        """Record that the link is stable."""
        self.drops, self.login_accepted, self.cut_off = 0, False, 0
