"""Make notices of troubles: who is told of which, in how many notices, and when.

One worker at a time plans, in one transaction, so that nobody is told the same twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db import transaction
from django.db.models import F, Min, Q, QuerySet
from django.utils import timezone

from connections.display import OUTAGE_REASONS
from connections.lifecycle import PAIRING, State
from connections.models import Connection
from connections.status import with_effective_state
from notices.actions.troubles import CONNECTION, RECOVERY_HOLD
from notices.models import Address, Notice, PlanLock, Telling, Trouble
from notices.recipients import GROUP_FROM, Recipient, find_recipients

Level, Kind = Trouble.Level, Notice.Kind

GROUP_WAIT = timedelta(minutes=1)
"""A recipient of grouped notices waits so long for further organizations in trouble."""
OUTAGE_GROUP_WAIT = timedelta(minutes=15)
"""An outage counts as one for so long, also where only few of its connections still wait. Those
that are back wait so long for the others until people are told."""


def plan() -> datetime | None:
    """Make the notices that are due. Return when others will be, by what is stored now.

    It takes one query while nothing is due.
    """
    now, first = timezone.now(), _first_plan()
    if first is not None and first <= now:
        _plan(now)
        return _first_plan()
    return first


def _first_plan() -> datetime | None:
    first: datetime | None = Trouble.objects.aggregate(first=Min("plan_at"))["first"]
    return first


@transaction.atomic
def _plan(now: datetime) -> None:
    lock, _ = PlanLock.objects.get_or_create(pk=1)
    if not PlanLock.objects.select_for_update(skip_locked=True).filter(pk=lock.pk).first():
        return  # Another worker plans.
    planned = Trouble.objects.exclude(plan_at=None).select_related("organization").order_by("pk")
    rows = list(planned)
    situation = Situation(now, rows)
    for recipient in find_recipients(now):
        _RecipientPlan(situation, recipient).make()
    for trouble in rows:
        if trouble.plan_at is not None and trouble.plan_at <= now:
            # One that changed meanwhile is to be looked at again.
            unchanged = Trouble.objects.filter(pk=trouble.pk, plan_at=trouble.plan_at)
            unchanged.update(plan_at=situation.wake_at.get(trouble.pk))


@dataclass
class Situation:
    """The troubles that there is something to tell of, and what was told of them before."""

    now: datetime
    rows: Iterable[Trouble]
    wake_at: dict[int, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.open = [row for row in self.rows if row.ended_at is None]
        self.over = [row for row in self.rows if row.ended_at is not None]
        self._tellings: defaultdict[int, dict[int, Telling]] = defaultdict(dict)
        told = Telling.objects.filter(trouble__in=[row.pk for row in self.rows])
        for telling in told.select_related("notice", "earlier"):
            self._tellings[telling.address_id][telling.trouble_id] = telling
        self._read_connections()

    def _read_connections(self) -> None:
        """Read what connections are now: a person may link a phone, or all workers be gone."""
        ids = [row.organization_id for row in self.rows if row.kind == CONNECTION]
        found = with_effective_state(Connection.objects.filter(pk__in=ids))
        self._states = {
            pk: (state, reason)
            for pk, state, reason in found.values_list(
                "pk", F("effective_state"), F("effective_reason")
            )
        }

    @cached_property
    def waiting(self) -> QuerySet[Connection, Any]:
        """The connections that wait for the end of an outage."""
        found = with_effective_state(Connection.objects.all())
        return found.filter(Q(effective_reason__in=OUTAGE_REASONS)).values("pk")

    @cached_property
    def again(self) -> dict[tuple[int | None, str, str], Trouble]:
        """The open troubles of the organizations whose troubles are over, by what is in trouble."""
        of = Q(organization__in={row.organization_id for row in self.over}) | Q(organization=None)
        open_ = Trouble.objects.filter(of, ended_at=None)
        return {row.thing: row for row in open_.exclude(pk__in=[row.pk for row in self.over])}

    def told(self, address: Address) -> dict[int, Telling]:
        """Return what an address was told, by trouble."""
        return self._tellings[address.pk]

    def is_due(self, trouble: Trouble) -> bool:
        """Return whether people are told of an open trouble now, if they are at all."""
        if trouble.due_at > self.now:
            return False
        if self._state(trouble)[0] in PAIRING:
            self.wake(trouble, self.now + GROUP_WAIT)
            return False
        return True

    def is_back(self, trouble: Trouble) -> bool:
        """Return whether what was in trouble works now.

        A person may have disconnected it since, or its worker be gone for a moment.
        """
        state = self._state(trouble)[0]
        if state == State.RECONNECTING:
            self.wake(trouble, self.now + GROUP_WAIT)
        return trouble.kind != CONNECTION or state == State.CONNECTED

    def cause_of(self, trouble: Trouble) -> str:
        """Return the outage for whose end a connection waits, "" for none."""
        reason = self._state(trouble)[1]
        waits = trouble.kind == CONNECTION and trouble.level == Level.WAITS
        return reason if waits and reason in OUTAGE_REASONS else ""

    def _state(self, trouble: Trouble) -> tuple[str, str]:
        if trouble.kind != CONNECTION or trouble.organization_id is None:
            return "", ""
        return self._states.get(trouble.organization_id, ("", ""))

    def wake(self, trouble: Trouble, at: datetime) -> None:
        """Look at a trouble again at a time, or earlier."""
        known = self.wake_at.get(trouble.pk)
        self.wake_at[trouble.pk] = min(known, at) if known else at


class _RecipientPlan:
    """What one address is told now."""

    def __init__(self, situation: Situation, recipient: Recipient) -> None:
        self._now, self._situation, self._recipient = situation.now, situation, recipient
        self._tellings = situation.told(recipient.address)

    def make(self) -> None:
        """Make the notices of this address."""
        new = [row for row in self._situation.open if self._is_new(row)]
        over = [row for row in self._situation.over if self._should_notify_recovery(row)]
        if quiet := self._recipient.quiet_until:
            for trouble in (*new, *over):
                self._situation.wake(trouble, max(quiet, trouble.due_at))
            return
        over = [row for row in over if not self._close_if_reopened(row, new)]
        over = [row for row in over if self._situation.is_back(row)]
        self._notify_troubles(self._notify_outages(new))
        self._notify_recoveries(over)

    def _is_new(self, trouble: Trouble) -> bool:
        telling = self._tellings.get(trouble.pk)
        return self._recipient.should_notify(trouble) and (
            telling is None or telling.level < trouble.level
        )

    def _should_notify_recovery(self, trouble: Trouble) -> bool:
        """Return whether the address got a notice of a trouble, and is due one of its end."""
        telling = self._tellings.get(trouble.pk)
        if telling is None or telling.closed or not trouble.recovered:
            return False
        if not self._recipient.is_subscribed(trouble):
            return False
        lease = telling.notice.lease_until
        if telling.sent_notice is None and lease is not None and lease > self._now:
            self._situation.wake(trouble, lease)  # It may be leaving just now.
        return telling.sent_notice is not None

    def _close_if_reopened(self, trouble: Trouble, new: list[Trouble]) -> bool:
        """Close an ended trouble that has begun again. Return whether it has.

        The notice that was sent counts for both, unless the new one is worse.
        """
        again = self._situation.again.get(trouble.thing)
        if again is None:
            return False
        telling = self._tellings[trouble.pk]
        Telling.objects.filter(pk=telling.pk).update(closed=True)
        if again in new and telling.sent_notice is not None and again.level <= telling.sent_level:
            self._record_tellings(telling.sent_notice, [again])
            new.remove(again)
        return True

    # --- Troubles -------------------------------------------------------------------------------

    def _notify_outages(self, new: list[Trouble]) -> list[Trouble]:
        """Create one notice of each outage. Return the other troubles."""
        by_cause: defaultdict[str, list[Trouble]] = defaultdict(list)
        for trouble in new:
            by_cause[self._situation.cause_of(trouble)].append(trouble)
        remaining = by_cause.pop("", [])
        for cause, rows in by_cause.items():
            ongoing = self._find_ongoing_outage(cause)
            due = [row for row in rows if self._situation.is_due(row)]
            if ongoing is not None:
                self._record_tellings(ongoing, rows)
            elif due and len(rows) > 1:
                self._create_notice(Kind.TROUBLE, rows, cause)
            else:
                remaining += rows
        return remaining

    def _find_ongoing_outage(self, cause: str) -> Notice | None:
        """Return the notice of an outage that is not over, None without one.

        One that is new, or for whose end most of its connections still wait. One that was given up
        tells nothing, and where the end was told for some, what follows is another outage.
        """
        tellings = Telling.objects.filter(address=self._recipient.address, notice__cause=cause)
        tellings = tellings.exclude(notice__state=Notice.State.FAILED)
        newest = self._still_waiting(tellings).select_related("notice").order_by("-pk").first()
        if newest is None:
            return None
        all_ = Telling.objects.filter(notice=newest.notice)
        if all_.exclude(recovery=None).exists():
            return None
        is_new = newest.notice.created_at > self._now - OUTAGE_GROUP_WAIT
        most_wait = 2 * self._still_waiting(all_).count() > all_.count()
        return newest.notice if is_new or most_wait else None

    def _still_waiting(self, tellings: QuerySet[Telling]) -> QuerySet[Telling]:
        """Return the tellings whose connections still wait for the end of an outage.

        One that needs a person by now, or reconnects for another reason, does not.
        """
        open_ = tellings.filter(trouble__ended_at=None, trouble__kind=CONNECTION)
        waiting = open_.filter(level=Level.WAITS, trouble__level=Level.WAITS)
        return waiting.filter(trouble__organization__in=self._situation.waiting)

    def _notify_troubles(self, new: list[Trouble]) -> None:
        """Create one notice of the troubles of many organizations, else one for each."""
        due = [row for row in new if self._situation.is_due(row)]
        if self._wait_for_group(due, [row.due_at for row in due]):
            return
        if _should_group(due):
            self._create_notice(Kind.TROUBLE, due)
        else:
            for trouble in due:
                self._create_notice(Kind.TROUBLE, [trouble])

    def _wait_for_group(self, rows: Collection[Trouble], since: list[datetime]) -> bool:
        """Return whether troubles wait for those of other organizations, to share a notice."""
        if not rows or not self._recipient.groups_notices:
            return False
        end = min(since) + GROUP_WAIT
        if self._now >= end:
            return False
        for trouble in rows:
            self._situation.wake(trouble, end)
        return True

    # --- Recoveries -----------------------------------------------------------------------------

    def _notify_recoveries(self, over: list[Trouble]) -> None:
        """Create notices of recovery: of an outage when all of it is over, else grouped if many.

        What is back from an outage does not wait for ever for the others.
        """
        ready, since = [], []
        by_outage: defaultdict[Notice, list[Trouble]] = defaultdict(list)
        for trouble in over:
            assert trouble.ended_at is not None
            at = trouble.ended_at + RECOVERY_HOLD
            notice = self._tellings[trouble.pk].sent_notice
            assert notice is not None
            if at > self._now:
                self._situation.wake(trouble, at)
            elif notice.cause:
                by_outage[notice].append(trouble)
            else:
                ready.append(trouble)
                since.append(at)
        for notice, rows in by_outage.items():
            first = min(row.ended_at for row in rows if row.ended_at is not None)
            if first > self._now - OUTAGE_GROUP_WAIT and self._is_outage_ongoing(notice):
                for trouble in rows:
                    self._situation.wake(trouble, self._now + GROUP_WAIT)
            else:
                self._create_notice(Kind.RECOVERY, rows, notice.cause)
        if self._wait_for_group(ready, since):
            return
        for rows in [ready] if _should_group(ready) else [[row] for row in ready]:
            self._create_notice(Kind.RECOVERY, rows)

    def _is_outage_ongoing(self, outage: Notice) -> bool:
        """Return whether a connection still waits for its end, or has just come back."""
        tellings = Telling.objects.filter(notice=outage, level=Level.WAITS)
        recent = tellings.filter(
            trouble__ended_at__gt=self._now - RECOVERY_HOLD, trouble__recovered=True
        )
        return recent.exists() or self._still_waiting(tellings).exists()

    # --- Rows -----------------------------------------------------------------------------------

    def _create_notice(self, kind: Notice.Kind, rows: list[Trouble], cause: str = "") -> None:
        """Create a notice of troubles, or of their ends."""
        address = self._recipient.address
        notice = Notice.objects.create(
            user=address.user,
            address=address,
            label=address.label,
            kind=kind,
            cause=cause,
            created_at=self._now,
            next_at=self._now,
        )
        if kind == Kind.TROUBLE:
            self._record_tellings(notice, rows)
            return
        tellings = Telling.objects.filter(address=address, trouble__in=rows)
        tellings.update(recovery=notice, closed=True)

    def _record_tellings(self, notice: Notice, rows: list[Trouble]) -> None:
        """Store that a notice tells of these troubles."""
        for trouble in rows:
            fields: dict[str, object] = {"notice": notice, "level": trouble.level, "closed": False}
            before = self._tellings.get(trouble.pk)
            if before is not None and before.notice.state == Notice.State.SENT:
                fields |= {"earlier": before.notice, "earlier_level": before.level}
            Telling.objects.update_or_create(
                trouble=trouble, address=self._recipient.address, defaults=fields
            )


def _should_group(rows: Collection[Trouble]) -> bool:
    return len({row.organization_id for row in rows}) >= GROUP_FROM
