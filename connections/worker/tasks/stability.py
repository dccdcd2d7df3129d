"""How well each organization's link holds, remembered across its clients and its requests."""

from __future__ import annotations

import random
from dataclasses import dataclass

# A link counts as held when it has stood for so long after its login; what drops sooner has failed.
HELD_SECONDS = 30.0
# After each login in a row that was dropped sooner.
PAUSES = (0.5, 5.0, 12.0, 30.0, 60.0, 120.0, 300.0)
# After so many in a row that were cut off before an answer it is something else.
MOST_CUT_OFF = 3
# Where WhatsApp has let none of them in it may be an outage, whose end should be found sooner.
LONGEST_OUTAGE_PAUSE = 60.0
# One may be an accident. From the second one on people are told that the link does not hold.
UNSTABLE_DROPS = 2
JITTER = (0.7, 1.0)


@dataclass
class Stability:
    """What one organization's logins came to, since its link has held."""

    drops: int = 0  # logins in a row that were dropped before they had held
    let_in: bool = False  # whether WhatsApp had let one of them in
    cut_off: int = 0  # the newest in a row that it had not
    refused_since: float | None = None  # by the event loop's clock

    @property
    def unstable(self) -> bool:
        """Whether the link is known not to hold."""
        return self.let_in and self.cut_off < MOST_CUT_OFF and self.drops >= UNSTABLE_DROPS

    def record_drop(self, let_in: bool) -> float:
        """Count a login that was dropped too soon. Return the seconds to wait before the next."""
        self.drops += 1
        self.let_in = self.let_in or let_in
        self.cut_off = 0 if let_in else self.cut_off + 1
        pause = PAUSES[min(self.drops, len(PAUSES)) - 1]
        if not self.let_in:
            pause = min(pause, LONGEST_OUTAGE_PAUSE)
        return pause * random.uniform(*JITTER)

    def record_refusal(self, now: float) -> float:
        """Note that the login was refused. Return for how many seconds it has been."""
        if self.refused_since is None:
            self.refused_since = now
        return now - self.refused_since

    def record_login(self) -> None:
        """WhatsApp let it in."""
        self.refused_since = None

    def record_held(self) -> None:
        """The link has held."""
        self.drops, self.let_in, self.cut_off = 0, False, 0
