"""Bulk runs for their pages: the plan before one starts, and its items and progress."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from connections.bulk_texts import phones_text, sum_up
from connections.lifecycle import PAIRING, Reason, State
from connections.models import BulkItem, BulkRun, Connection, Worker, Workforce
from connections.reason_texts import REASON_TEXTS
from connections.status import REASON_WITHOUT_WORKER, ConnectionStatus, status_of_row
from organizations.access import PERMISSIONS, Caller, Permission
from organizations.id_sets import format_ids

Action, Result, Problem = BulkRun.Action, BulkItem.Result, BulkItem.Problem


def find_problem(action: str, status: ConnectionStatus) -> BulkItem.Problem | None:
    """Return why the action makes no sense for this connection now, or None if it does."""
    connection = status.connection
    if status.inactive:
        return Problem.INACTIVE
    if action == Action.RECONNECT and status.state == State.CONNECTED:
        return Problem.CONNECTED
    if connection.disconnecting:
        return Problem.DISCONNECTING
    if action == Action.RECONNECT:
        if connection.banned_until is not None:
            return Problem.BANNED
        return Problem.CONNECTING if status.state in PAIRING else None
    active = status.has_client or connection.logout_pending
    linked = connection.number or connection.store_name
    return None if active or linked else Problem.DISCONNECTED


def decide(
    action: str, status: ConnectionStatus
) -> tuple[BulkItem.Result, BulkItem.Problem | None]:
    """Return the item's first result: WAITING to make the request, others to skip it.

    A reconnect needs saved credentials: a code for a phone would expire unseen.
    """
    if problem := find_problem(action, status):
        return Result.SKIPPED, problem
    if action == Action.RECONNECT and not status.connection.store_name:
        return Result.PHONE, None
    return Result.WAITING, None


MAX_BULK_PAIRINGS = 5
"""The most unfinished reconnects of all runs: each may turn out to need a phone."""


def count_unfinished_reconnects() -> int:
    """Count the reconnects of all runs without a result, and the pairings that they became."""
    requested = Q(result=Result.ASKED, run__action=Action.RECONNECT)
    pairing = Q(
        result=Result.SCAN,
        connection__generation=F("generation"),
        connection__state__in=PAIRING,
        connection__store_name="",
    )
    return BulkItem.objects.filter(requested | pairing).count()


# --- The plan -----------------------------------------------------------------------------------


@dataclass
class Plan:
    """What a run would do, for the person who is asked to confirm it."""

    action: str
    to_run: list[Connection] = field(default_factory=list)
    needs_phone: list[Connection] = field(default_factory=list)
    skipped: dict[BulkItem.Problem, list[Connection]] = field(default_factory=dict)
    missing: int = 0
    """How many were chosen that the person does not see (any more)."""

    @property
    def sentence(self) -> str:
        """How many were chosen, and what becomes of each group."""
        groups: list[tuple[str, int]] = [
            (Result.WAITING, len(self.to_run)),
            (Result.PHONE, len(self.needs_phone)),
            *((problem, len(rows)) for problem, rows in self.skipped.items()),
            (Problem.GONE, self.missing),
        ]
        return sum_up(self.action, groups, planned=True)


def plan(caller: Caller, action: str, connections: Iterable[Connection], missing: int = 0) -> Plan:
    """Plan a run. Each connection was read with its organization and worker."""
    rows = list(connections)
    roles = caller.roles(row.organization for row in rows)
    workforce = Worker.workforce()
    new_plan = Plan(action, missing=missing)
    for row in rows:
        result, problem = decide(action, status_of_row(row, workforce))
        if Permission.OPERATE not in PERMISSIONS.get(roles.get(row.pk, ""), ()):
            result, problem = Result.SKIPPED, Problem.NO_RIGHT
        if problem is not None:
            new_plan.skipped.setdefault(problem, []).append(row)
        elif result == Result.PHONE:
            new_plan.needs_phone.append(row)
        else:
            new_plan.to_run.append(row)
    return new_plan


# --- The run ------------------------------------------------------------------------------------


def visible_runs(caller: Caller) -> QuerySet[BulkRun]:
    """Return the runs that this caller may see: their own, and for a superuser all."""
    runs = BulkRun.objects.all()
    return runs if caller.is_superuser else runs.filter(user_id=caller.user.pk or 0)


def serialize_items(
    run: BulkRun, caller: Caller, since: datetime | None = None
) -> list[dict[str, Any]]:
    """Return the run's items ready for JSON, or those that changed since a time."""
    items = run.items.select_related("connection__organization")
    if since is not None:
        items = items.filter(changed_at__gte=since)
    items_read = list(items)
    ids = [item.connection_id for item in items_read]
    visible = set(caller.organizations.filter(pk__in=ids).values_list("pk", flat=True))
    return [_item(item, run, item.connection_id in visible) for item in items_read]


def _item(item: BulkItem, run: BulkRun, visible: bool) -> dict[str, Any]:
    page = reverse("admin:connections_connection_change", args=[item.connection_id])
    result = item.result if visible else Result.SKIPPED
    return {
        "id": item.pk,
        # A person who has lost access meanwhile learns nothing more of the organization.
        "name": item.connection.organization.name if visible else _("No longer yours"),
        "page": page if visible else "",
        "result": result,
        "resultName": _result_name(result, run),
        "sentence": result_sentence(item) if visible else str(Problem.GONE.label),
    }


def _result_name(result: str, run: BulkRun) -> str:
    if result == Result.DONE:
        return _("Connected") if run.action == Action.RECONNECT else _("Disconnected")
    return str(Result(result).label)


def result_sentence(item: BulkItem) -> str:
    """Return the result of an item as a sentence."""
    if item.result == Result.PHONE:
        return _(
            "Nothing saved can be used, so its phone has to scan a code. Open its page and press "
            "Reconnect when the phone is at hand."
        )
    if item.result == Result.SCAN:
        return _(
            "What was saved no longer works, so its phone has to scan a code. Its page shows one "
            "for a short while."
        )
    if item.result == Result.STOPPED:
        return _("The run was stopped before its turn.")
    if item.problem:
        return str(Problem(item.problem).label)
    if not item.reason:
        return ""
    text = REASON_TEXTS[Reason(item.reason)]
    return text.full if item.result in (Result.RETRYING, Result.FAILED) else text.sentence


def phones_of(run: BulkRun, caller: Caller) -> list[int]:
    """Return the connections of a run that the caller sees and whose phones have to scan a code."""
    items = run.items.filter(_seen_by(caller), result__in=(Result.PHONE, Result.SCAN))
    return list(items.values_list("connection", flat=True))


def progress(run: BulkRun, caller: Caller) -> dict[str, Any]:
    """Return the run's progress for this caller, ready for JSON."""
    items = run.items.order_by().annotate(seen=_seen_by(caller))
    rows = list(items.values_list("result", "problem", "seen").annotate(Count("pk")))
    order = list(Result)
    rows.sort(key=lambda row: order.index(Result(row[0])))
    groups: list[tuple[str, int]] = []
    done = total = 0
    gone = run.missing
    for result, problem, seen, count in rows:
        total += count
        done += 0 if result in BulkItem.OPEN else count
        if seen:
            groups.append((problem if result == Result.SKIPPED else result, count))
        else:
            gone += count
    return {
        "done": done,
        "total": total,
        "ended": run.ended_at is not None,
        "stoppable": run.ended_at is None and run.stopped_at is None,
        "headline": _headline(run),
        "text": _("{done} of {total}").format(done=done, total=total),
        "counts": sum_up(run.action, [*groups, (Problem.GONE, gone)]),
        "waiting": _waiting_reason(run),
        "phones": format_ids(phones := phones_of(run, caller)),
        "phonesText": phones_text(len(phones)),
    }


def _seen_by(caller: Caller) -> Exists:
    """Return the condition for items whose organization the caller still sees."""
    return Exists(caller.organizations.filter(pk=OuterRef("connection")))


def _headline(run: BulkRun) -> str:
    if run.ended_at is None:
        return _("Stopping") if run.stopped_at else _("Under way")
    return _("Stopped") if run.stopped_at else _("Finished")


def _waiting_reason(run: BulkRun) -> str:
    """Return why the run cannot go on now, or ""."""
    if run.ended_at is not None:
        return ""
    workforce = Worker.workforce()
    if workforce != Workforce.READY:
        return REASON_TEXTS[REASON_WITHOUT_WORKER[workforce]].full
    items = run.items.all()
    blocked = (
        items.filter(result=Result.SCAN).exists()
        and count_unfinished_reconnects() >= MAX_BULK_PAIRINGS
    )
    if not blocked or not items.filter(result=Result.WAITING).exists():
        return ""
    return _("Some codes wait for a phone. It goes on when they are scanned or have expired.")
