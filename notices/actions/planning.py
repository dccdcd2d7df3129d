"""Make notices of troubles: who is told of which, in how many notices, and when.

One worker at a time plans, in one transaction, so that nobody is told the same twice.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Min
from django.utils import timezone

from notices.actions.planning_state import PlanningState
from notices.actions.recipient_plan import RecipientPlan
from notices.models import PlanLock, Trouble
from notices.recipients import find_recipients


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
    state = PlanningState(now, rows)
    for recipient in find_recipients(now):
        RecipientPlan(state, recipient).make()
    for trouble in rows:
        if trouble.plan_at is not None and trouble.plan_at <= now:
            # One that changed meanwhile is to be looked at again.
            unchanged = Trouble.objects.filter(pk=trouble.pk, plan_at=trouble.plan_at)
            unchanged.update(plan_at=state.next_plan_at.get(trouble.pk))
