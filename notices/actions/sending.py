"""Leases of notices, and what came of sending them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, Min, Q
from django.db.models.functions import Coalesce, Greatest, Now
from django.utils import timezone

from connections import broadcast
from connections.lifecycle import State as ConnectionState
from connections.models import Connection
from connections.status import with_effective_state
from notices import schedule
from notices.actions.troubles import CONNECTION, NOTICES, find_open
from notices.failures import SendingFailed
from notices.models import Notice, Telling, Total, Trouble
from notices.recipients import preferences_of
from organizations.access import for_user

logger = logging.getLogger(__name__)

State, Kind = Notice.State, Notice.Kind


@transaction.atomic
def claim(owner: str, lease: timedelta, limit: int) -> list[Notice]:
    """Lease notices that are due, the oldest first. Leases use the database's clock alone."""
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    due = Notice.objects.filter(free, state=State.WAITING, next_at__lte=timezone.now())
    locked = due.select_for_update(skip_locked=True).order_by("next_at", "pk")
    ids = list(locked.values_list("pk", flat=True)[:limit])
    if not ids:
        return []
    rows = Notice.objects.filter(pk__in=ids)
    rows.update(lease_owner=owner, lease_until=Now() + lease)
    related = rows.select_related("user__notice_preferences", "address")
    return list(related.order_by("next_at", "pk"))


def next_at() -> datetime | None:
    """Return when the next notice is due and has no lease; None while none waits."""
    free_at = Greatest("next_at", Coalesce("lease_until", "next_at"))
    waiting = Notice.objects.filter(state=State.WAITING)
    first: datetime | None = waiting.aggregate(first=Min(free_at))["first"]
    return first


def release(owner: str | None = None) -> None:
    """Give back the leases of a worker, or all of them where there is only one worker at a time."""
    held = Notice.objects.exclude(lease_until=None)
    if owner is not None:
        held = held.filter(lease_owner=owner)
    held.update(lease_owner="", lease_until=None)


def troubles_of(notice: Notice) -> list[Trouble]:
    """Return the troubles that a notice is about, as far as its address is told of them now.

    Of those that it tells of, only the ones that are still there; of those whose end it tells,
    only the ones of what still works.
    """
    address = notice.address
    if address is None:
        return []
    visible = for_user(notice.user).organizations.filter(deactivated_at=None)
    own = Q(organization__in=visible)
    if notice.user.is_superuser:
        own |= Q(organization=None)
    if notice.kind == Kind.RECOVERY:
        about = Trouble.objects.filter(own, tellings__recovery=notice)
    else:
        about = Trouble.objects.filter(own, tellings__notice=notice, ended_at=None)
    rows = about.select_related("organization").order_by("organization__folded_name", "pk")
    choices = dict(address.choices.values_list("organization", "told"))
    found = [
        row
        for row in rows
        if row.organization_id is None or choices.get(row.organization_id, address.everywhere)
    ]
    if notice.kind == Kind.RECOVERY:
        return _still_over(found)
    _read_reasons([row for row in found if row.kind == CONNECTION])
    return found


def _still_over(troubles: Sequence[Trouble]) -> list[Trouble]:
    """Return the troubles of what is in no trouble by now, and was not disconnected."""
    ids = {row.organization_id for row in troubles}
    again = find_open(ids)
    rows = with_effective_state(Connection.objects.filter(pk__in=ids))
    connected = rows.filter(Q(effective_state=ConnectionState.CONNECTED))
    works = set(connected.values_list("pk", flat=True))
    return [
        row
        for row in troubles
        if row.thing not in again and (row.kind != CONNECTION or row.organization_id in works)
    ]


def give_back(notice: Notice, told: Collection[Trouble]) -> None:
    """Let all ends but these, which a notice was to tell, be planned once more."""
    untold = Telling.objects.filter(recovery=notice).exclude(trouble__in=told)
    ids = list(untold.values_list("trouble", flat=True))
    if not ids:
        return
    with transaction.atomic():
        untold.update(recovery=None, closed=False)
        over = Trouble.objects.filter(pk__in=ids).exclude(ended_at=None)
        over.update(plan_at=timezone.now())
        broadcast.notify_work(NOTICES)


def _read_reasons(troubles: Sequence[Trouble]) -> None:
    """Set the reasons of open troubles to those that the pages of their connections show."""
    rows = Connection.objects.filter(pk__in=[row.organization_id for row in troubles])
    reasons = dict(with_effective_state(rows).values_list("pk", F("effective_reason")))
    for trouble in troubles:
        trouble.reason = reasons.get(trouble.organization_id, trouble.reason)


def is_wanted(notice: Notice, troubles: Collection[Trouble]) -> bool:
    """Return whether a notice is still to be sent."""
    address = notice.address
    if address is None or not notice.user.is_active:
        return False
    if notice.kind == Kind.CONFIRM:
        return address.confirmed_at is None
    if notice.kind == Kind.TEST:
        return address.confirmed_at is not None
    return address.is_on and bool(troubles)


def quiet_until(notice: Notice) -> datetime | None:
    """Return when the quiet hours end in which a notice is not sent, None outside of them.

    What a person has asked for does not wait.
    """
    if notice.kind in (Kind.CONFIRM, Kind.TEST):
        return None
    return preferences_of(notice.user).quiet_end(timezone.now())


@transaction.atomic
def postpone(notice: Notice, owner: str, until: datetime) -> None:
    """Send a notice later, which is no failure."""
    held = Notice.objects.filter(pk=notice.pk, lease_owner=owner, state=State.WAITING)
    held.update(next_at=until, lease_owner="", lease_until=None)


@transaction.atomic
def drop(notice: Notice, owner: str) -> None:
    """End a notice that is not to be sent. What it would have told counts as not told."""
    if not _end(notice, owner, state=State.DROPPED):
        return
    tellings = Telling.objects.filter(notice=notice)
    tellings.filter(earlier=None).update(level=0)
    tellings.exclude(earlier=None).update(
        notice=F("earlier"), level=F("earlier_level"), earlier=None, earlier_level=None
    )


@transaction.atomic
def record_sent(notice: Notice, owner: str) -> None:
    """Store that a notice has left."""
    _end(notice, owner, state=State.SENT, tries=notice.tries + 1, failure="", status=0)


@transaction.atomic
def record_failure(notice: Notice, owner: str, error: SendingFailed) -> None:
    """Store that a notice did not leave; it is tried again, or given up."""
    now = timezone.now()
    tries = notice.tries + 1
    next_at = None if error.lasting else schedule.next_try(tries, now)
    what = {"tries": tries, "failure": error.failure.value, "status": error.status}
    if next_at is None:
        _end(notice, owner, state=State.FAILED, **what)
        fields = {"notice": notice.pk, "failure": error.failure.value}
        logger.warning("a notice is given up", extra=fields)
        return
    held = Notice.objects.filter(pk=notice.pk, lease_owner=owner, state=State.WAITING)
    held.update(next_at=next_at, lease_owner="", lease_until=None, **what)


@transaction.atomic
def retry(notice_id: int) -> bool:
    """Try a notice again that was given up. Return whether it was."""
    failed = Notice.objects.filter(pk=notice_id, state=State.FAILED)
    now = timezone.now()
    retried = failed.update(state=State.WAITING, next_at=now, tries=0, ended_at=None)
    if retried:
        broadcast.notify_work(NOTICES)
    return bool(retried)


def _end(notice: Notice, owner: str, *, state: str, **fields: object) -> bool:
    """End a notice that this worker leases, and count it. Return whether it was."""
    held = Notice.objects.filter(pk=notice.pk, lease_owner=owner, state=State.WAITING)
    ended = held.update(
        state=state, ended_at=timezone.now(), lease_owner="", lease_until=None, **fields
    )
    if ended:
        _count(state)
    return bool(ended)


def _count(state: str) -> None:
    table = Total._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (state, count) VALUES (%s, 1) "
            f"ON CONFLICT (state) DO UPDATE SET count = {table}.count + 1",
            [state],
        )
