"""Create the notices of one recipient: of new troubles, and of their ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import QuerySet

from notices.actions.planning_state import GROUP_WAIT, PlanningState
from notices.actions.troubles import CONNECTION, RECOVERY_HOLD
from notices.models import Notice, Telling, Trouble
from notices.recipients import GROUP_FROM, Recipient

Level, Kind = Trouble.Level, Notice.Kind

OUTAGE_GROUP_WAIT = timedelta(minutes=15)
"""An outage counts as one for so long, also where only few of its connections still wait. Those
that are back wait so long for the others until people are told."""


class RecipientPlan:
    """The notices of one recipient that are due now."""

    def __init__(self, state: PlanningState, recipient: Recipient) -> None:
        self._now, self._state, self._recipient = state.now, state, recipient
        self._tellings = state.tellings_of(recipient.address)

    def make(self) -> None:
        """Create the notices."""
        new = [row for row in self._state.open if self._is_new(row)]
        ended = [row for row in self._state.ended if self._should_notify_recovery(row)]
        if quiet := self._recipient.quiet_until:
            for trouble in (*new, *ended):
                self._state.plan_again(trouble, max(quiet, trouble.due_at))
            return
        ended = [row for row in ended if not self._close_if_reopened(row, new)]
        ended = [row for row in ended if self._state.works_now(row)]
        self._notify_troubles(self._notify_outages(new))
        self._notify_recoveries(ended)

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
            self._state.plan_again(trouble, lease)  # It may be leaving just now.
        return telling.sent_notice is not None

    def _close_if_reopened(self, trouble: Trouble, new: list[Trouble]) -> bool:
        """Close an ended trouble that has begun again. Return whether it has.

        The notice that was sent counts for both, unless the new one is worse.
        """
        again = self._state.reopened.get(trouble.thing)
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
            by_cause[self._state.cause_of(trouble)].append(trouble)
        remaining = by_cause.pop("", [])
        for cause, rows in by_cause.items():
            ongoing = self._find_ongoing_outage(cause)
            due = [row for row in rows if self._state.is_due(row)]
            if ongoing is not None:
                self._record_tellings(ongoing, rows)
            elif due and len(rows) > 1:
                self._create_notice(Kind.TROUBLE, rows, cause)
            else:
                remaining += rows
        return remaining

    def _find_ongoing_outage(self, cause: str) -> Notice | None:
        """Return the notice of an outage that has not ended, None without one.

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
        return waiting.filter(trouble__organization__in=self._state.waiting_connections)

    def _notify_troubles(self, new: list[Trouble]) -> None:
        """Create one notice of the troubles of many organizations, else one for each."""
        due = [row for row in new if self._state.is_due(row)]
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
            self._state.plan_again(trouble, end)
        return True

    # --- Recoveries -----------------------------------------------------------------------------

    def _notify_recoveries(self, ended: list[Trouble]) -> None:
        """Create notices of recovery: of an outage when all of it has ended, else grouped if many.

        What is back from an outage does not wait for ever for the others.
        """
        ready, since = [], []
        by_outage: defaultdict[Notice, list[Trouble]] = defaultdict(list)
        for trouble in ended:
            assert trouble.ended_at is not None
            at = trouble.ended_at + RECOVERY_HOLD
            notice = self._tellings[trouble.pk].sent_notice
            assert notice is not None
            if at > self._now:
                self._state.plan_again(trouble, at)
            elif notice.cause:
                by_outage[notice].append(trouble)
            else:
                ready.append(trouble)
                since.append(at)
        for notice, rows in by_outage.items():
            first = min(row.ended_at for row in rows if row.ended_at is not None)
            if first > self._now - OUTAGE_GROUP_WAIT and self._is_outage_ongoing(notice):
                for trouble in rows:
                    self._state.plan_again(trouble, self._now + GROUP_WAIT)
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
