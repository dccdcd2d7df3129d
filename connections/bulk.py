"""One action for many connections: what would become of each, and how a run is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from connections.lifecycle import PAIRING, Reason, State
from connections.models import BulkItem, BulkRun, Connection, Worker, Workforce
from connections.reason_texts import REASON_TEXTS
from connections.status import UNATTENDED, ConnectionStatus, status_of_row
from organizations.access import PERMISSIONS, Caller, Permission

Action, Result, Problem = BulkRun.Action, BulkItem.Result, BulkItem.Problem


def obstacle(action: str, observed: ConnectionStatus) -> BulkItem.Problem | None:
    """Why this makes no sense for this connection now, whoever asks; None: it does."""
    connection = observed.connection
    if observed.inactive:
        return Problem.INACTIVE
    if action == Action.RECONNECT and observed.state == State.CONNECTED:
        return Problem.CONNECTED
    if connection.disconnecting:
        return Problem.DISCONNECTING
    if action == Action.RECONNECT:
        if connection.banned_until is not None:
            return Problem.BANNED
        return Problem.CONNECTING if observed.state in PAIRING else None
    something = observed.has_client or connection.logout_pending
    return None if something or connection.number or connection.store_name else Problem.DISCONNECTED


def decide(
    action: str, observed: ConnectionStatus
) -> tuple[BulkItem.Result, BulkItem.Problem | None]:
    """What a run would make of it: WAITING is to be carried out, the others are left alone.

    Only saved credentials are reconnected. A code for a phone would expire unseen.
    """
    if problem := obstacle(action, observed):
        return Result.SKIPPED, problem
    if action == Action.RECONNECT and not observed.connection.store_name:
        return Result.PHONE, None
    return Result.WAITING, None


BULK_PAIRINGS = 5
"""So many reconnects of runs are under way at most: each could turn out to need a phone."""


def under_way() -> int:
    """Reconnects of all runs that are not linked yet, and pairings that they became."""
    asked = Q(result=Result.ASKED, run__action=Action.RECONNECT)
    pairing = Q(
        result=Result.SCAN,
        connection__generation=F("generation"),
        connection__state__in=PAIRING,
        connection__store_name="",
    )
    return BulkItem.objects.filter(asked | pairing).count()


# --- Before it begins ---------------------------------------------------------------------------


@dataclass
class Plan:
    """What a run would do, for the person who is asked to confirm it."""

    action: str
    going: list[Connection] = field(default_factory=list)
    phone: list[Connection] = field(default_factory=list)
    skipped: dict[BulkItem.Problem, list[Connection]] = field(default_factory=dict)

    @property
    def everyone(self) -> list[Connection]:
        """All that were chosen."""
        left = [connection for group in self.skipped.values() for connection in group]
        return [*self.going, *self.phone, *left]


def plan(caller: Caller, action: str, connections: Iterable[Connection]) -> Plan:
    """Sort what was chosen. Each row comes with its organization and its worker."""
    rows = list(connections)
    roles = caller.roles(row.organization for row in rows)
    workforce = Worker.workforce()
    found = Plan(action)
    for row in rows:
        result, problem = decide(action, status_of_row(row, workforce))
        if Permission.OPERATE not in PERMISSIONS.get(roles.get(row.pk, ""), ()):
            result, problem = Result.SKIPPED, Problem.NO_RIGHT
        if problem is not None:
            found.skipped.setdefault(problem, []).append(row)
        else:
            (found.phone if result == Result.PHONE else found.going).append(row)
    return found


# --- While it runs, and afterwards --------------------------------------------------------------


def visible_runs(caller: Caller) -> QuerySet[BulkRun]:
    """The runs that exist for this caller: their own, and for a superuser all."""
    runs = BulkRun.objects.all()
    return runs if caller.is_superuser else runs.filter(user_id=caller.user.pk or 0)


def items_of(run: BulkRun, caller: Caller, since: datetime | None = None) -> list[dict[str, Any]]:
    """Its lines, or those that changed since a moment."""
    items = run.items.select_related("connection__organization")
    if since is not None:
        items = items.filter(changed_at__gte=since)
    found = list(items)
    ids = [item.connection_id for item in found]
    known = set(caller.organizations.filter(pk__in=ids).values_list("pk", flat=True))
    return [_item(item, run, item.connection_id in known) for item in found]


def _item(item: BulkItem, run: BulkRun, known: bool) -> dict[str, Any]:
    page = reverse("admin:connections_connection_change", args=[item.connection_id])
    return {
        "id": item.pk,
        # Who has lost a place meanwhile is told nothing more of the organization.
        "name": item.connection.organization.name if known else _("No longer yours"),
        "page": page if known else "",
        "result": item.result,
        "resultName": _result_name(item.result, run),
        "sentence": sentence(item) if known else str(Problem.GONE.label),
    }


def _result_name(result: str, run: BulkRun) -> str:
    if result == Result.DONE:
        return _("Connected") if run.action == Action.RECONNECT else _("Disconnected")
    return str(Result(result).label)


def sentence(item: BulkItem) -> str:
    """What came of it, as a person would say it."""
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
    words = REASON_TEXTS[Reason(item.reason)]
    return words.full if item.result in (Result.RETRYING, Result.FAILED) else words.sentence


def progress(run: BulkRun) -> dict[str, Any]:
    """How far it is."""
    rows = run.items.order_by().values_list("result").annotate(Count("pk"))
    counts: dict[str, int] = dict(rows)
    total = sum(counts.values())
    done = total - sum(counts.get(result, 0) for result in BulkItem.OPEN)
    parts = [
        f"{_result_name(result, run)}: {counts[result]}" for result in Result if counts.get(result)
    ]
    return {
        "done": done,
        "total": total,
        "ended": run.ended_at is not None,
        "stoppable": run.ended_at is None and run.stopped_at is None,
        "headline": _headline(run),
        "text": _("{done} of {total}").format(done=done, total=total),
        "counts": " · ".join(parts),
        "waiting": _waiting(run),
    }


def _headline(run: BulkRun) -> str:
    if run.ended_at is None:
        return _("Stopping") if run.stopped_at else _("Under way")
    return _("Stopped") if run.stopped_at else _("Finished")


def _waiting(run: BulkRun) -> str:
    """Why nothing happens, if nothing can."""
    if run.ended_at is not None:
        return ""
    workforce = Worker.workforce()
    if workforce != Workforce.READY:
        return REASON_TEXTS[UNATTENDED[workforce]].full
    items = run.items.all()
    held = items.filter(result=Result.SCAN).exists() and under_way() >= BULK_PAIRINGS
    if not held or not items.filter(result=Result.WAITING).exists():
        return ""
    return _("Some codes wait for a phone. It goes on when they are scanned or have expired.")
