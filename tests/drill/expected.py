"""What the design says that people are told, and the comparison with what arrived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.drill.receivers import CHAT, MAIL, Arrived

GRACE_PERIOD = 180.0
"""A connection that comes back within these seconds is not told of."""
RECOVERY_HOLD = 60.0
"""After so many seconds without a new trouble its end is told."""
GROUP_WAIT = 60.0
"""Who is told of three or more organizations waits so long for others in trouble."""
SLACK = 20.0

ADMIN, CLIENT, OWNER, ASLEEP = "admin", "client", "owner", "asleep"
UNREACHABLE = "WhatsApp cannot be reached from this server"
AGAIN = "WhatsApp is connected again"


@dataclass(frozen=True)
class Moments:
    """When something happened, on the monotonic clock. `online`: all phones were linked again."""

    away: float
    back: float
    online: float
    unlinked: float


@dataclass(frozen=True)
class Expected:
    """A notice that arrives between two moments."""

    to: str
    channel: str
    subject: str
    first: float
    last: float

    def is_met_by(self, found: Arrived) -> bool:
        same = (found.to, found.channel, found.subject) == (self.to, self.channel, self.subject)
        return same and self.first <= found.at <= self.last


def mail_of(name: str) -> str:
    """Return the mail address of a person."""
    return f"{name}@example.com"


def expected_notices(names: Sequence[str], unlinked: int, moments: Moments) -> list[Expected]:
    """Return the notices of a drill. `names`: of the organizations, the unlinked ones first.

    The administrator has a mail address and a chat, the owner of the first organization a chat,
    and the client, who sees the last one, a mail address. Another viewer of the first has quiet
    hours, and is told nothing.
    """
    count, first, last = len(names), names[0], names[-1]
    of_one = f"WhatsApp has been away for a while: {UNREACHABLE}"
    outage = moments.away + GRACE_PERIOD
    found = []
    if moments.back - moments.away > GRACE_PERIOD:
        found += _to_all(
            f"{UNREACHABLE}: {count} organizations wait",
            {first: f"[{first}] {of_one}", last: f"[{last}] {of_one}"},
            (first, last),
            (outage - 1, outage + SLACK),
        )
        found += _to_all(
            f"{AGAIN} in {count} organizations",
            {first: f"[{first}] {AGAIN}", last: f"[{last}] {AGAIN}"},
            (first, last),
            (moments.back + RECOVERY_HOLD, moments.online + RECOVERY_HOLD + SLACK),
        )
    gone = "WhatsApp is disconnected"
    return found + _to_all(
        f"{gone} in {unlinked} organizations",
        {first: f"[{first}] {gone}: the phone unlinked this device"},
        (first, last),
        (moments.unlinked, moments.unlinked + GROUP_WAIT + SLACK),
    )


def _to_all(
    to_admin: str, to_members: dict[str, str], ends: tuple[str, str], within: tuple[float, float]
) -> list[Expected]:
    first, last = ends
    found = [
        Expected(mail_of(ADMIN), MAIL, to_admin, *within),
        Expected(ADMIN, CHAT, to_admin, *within),
    ]
    if first in to_members:
        found.append(Expected(OWNER, CHAT, to_members[first], *within))
    if last in to_members:
        found.append(Expected(mail_of(CLIENT), MAIL, to_members[last], *within))
    return found


def compare(expected: Iterable[Expected], arrived: Iterable[Arrived]) -> list[str]:
    """Return what is missing and what is too much, in words."""
    left = list(arrived)
    problems = []
    for one in expected:
        met = next((found for found in left if one.is_met_by(found)), None)
        if met is None:
            problems.append(f"missing: {one.channel} to {one.to}: {one.subject}")
        else:
            left.remove(met)
    return problems + [
        f"not expected, or not then: {found.channel} to {found.to}: {found.subject}"
        for found in left
    ]
