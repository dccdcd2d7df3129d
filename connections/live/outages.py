"""Outages of the server or of WhatsApp: one alarm for all connections that wait for their end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Min, Q
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_noop as _

from connections.display import OUTAGE_REASONS
from connections.durations import format_time
from connections.lifecycle import Reason, State
from connections.models import Connection
from connections.reason_texts import REASON_TEXTS
from connections.status import last_heartbeat, refused_since, with_effective_state
from organizations.access import Caller

OUTAGES = (
    Reason.WORKER_OFFLINE,
    Reason.NO_ROOM,
    Reason.CLIENT_OUTDATED,
    Reason.UNREACHABLE,
    Reason.UNAVAILABLE,
    Reason.STORE_UNUSABLE,
)
"""The gravest first."""
ADVICE_FOR_OTHERS = _("Only an administrator of this service can end it.")
# Those that may also end by themselves.
OWN_ADVICE_FOR_OTHERS = {
    Reason.UNREACHABLE: _("If this lasts, tell an administrator of this service."),
    Reason.UNAVAILABLE: _("The trouble is at WhatsApp: there is nothing to do here."),
}


@dataclass(frozen=True)
class Outage:
    """A reason for which connections wait, how many do, and since when."""

    reason: Reason
    count: int
    since: datetime | None
    advice: str

    @property
    def sentence(self) -> str:
        return REASON_TEXTS[self.reason].sentence

    @property
    def since_text(self) -> str:
        """The time at which it began, with the day unless it is today; "" if it has not."""
        return format_time(self.since) if self.since else ""

    @property
    def concerns_workers(self) -> bool:
        """Whether the page of the workers says more."""
        return self.reason in (Reason.WORKER_OFFLINE, Reason.NO_ROOM)

    @property
    def waiting(self) -> str:
        """How many wait; "" where there is none yet."""
        if not self.count:
            return ""
        text = ngettext(
            "{count} waits and comes back by itself.",
            "{count} wait and come back by themselves.",
            self.count,
        )
        return text.format(count=self.count)


def find_outages(caller: Caller) -> list[Outage]:
    """Return all reasons, those that are in order last, without a time."""
    counts = _counts(caller)
    found = [
        Outage(reason, *counts.get(reason, (0, None)), advice_on(reason, caller.is_superuser))
        for reason in OUTAGES
    ]
    return sorted(found, key=lambda outage: outage.since is None)


def advice_on(reason: Reason, administrator: bool) -> str:
    """Return what helps against an outage, for administrators of the service or for others."""
    if administrator:
        return REASON_TEXTS[reason].next_step_for(administrator)
    return gettext(OWN_ADVICE_FOR_OTHERS.get(reason, ADVICE_FOR_OTHERS))


def _counts(caller: Caller) -> dict[Reason, tuple[int, datetime | None]]:
    """Return how many connections wait for each reason, and since when."""
    visible = Connection.objects.filter(organization__in=caller.organizations)
    waiting = with_effective_state(visible).exclude(Q(effective_state=State.ACTION_NEEDED))
    rows = (
        waiting.filter(Q(effective_reason__in=OUTAGE_REASONS))
        .order_by()
        .values(now=F("effective_reason"))
        .annotate(count=Count("pk"), first=Min("since"))
    )
    counts: dict[Reason, tuple[int, datetime | None]] = {
        Reason(row["now"]): (row["count"], row["first"]) for row in rows
    }
    if Reason.WORKER_OFFLINE in counts and (heartbeat := last_heartbeat()):
        count, first = counts[Reason.WORKER_OFFLINE]
        # Their own state is older than the loss of their worker.
        counts[Reason.WORKER_OFFLINE] = count, max(heartbeat, first or heartbeat)
    if refused := refused_since():
        count, _first = counts.get(Reason.CLIENT_OUTDATED, (0, None))
        counts[Reason.CLIENT_OUTDATED] = count, refused
    return counts
