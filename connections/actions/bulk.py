"""Runs: one request about many connections, carried out by whichever worker comes to it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction
from django.db.models import Max, Q
from django.utils import timezone

from connections.actions.requests import request_disconnect, request_reconnect
from connections.bulk import BULK_PAIRINGS, Plan, decide, under_way
from connections.lifecycle import PAIRING, Reason, State
from connections.models import BulkItem, BulkRun, Connection, Worker
from connections.refusals import RequestRefused, TooManyRequests
from connections.status import ConnectionStatus, read_status, status_of_row
from organizations.access import Caller, Permission, for_user
from organizations.models import Organization

logger = logging.getLogger(__name__)

Action, Result, Problem = BulkRun.Action, BulkItem.Result, BulkItem.Problem

PACE = timedelta(seconds=0.2)
"""How far apart the requests of one run are."""
LASTS = timedelta(minutes=2)
"""After this long a request that a run made is left to go on alone."""


class NothingToDo(Exception):
    """None of what was chosen can be carried out."""


@transaction.atomic
def start_run(caller: Caller, plan: Plan) -> BulkRun:
    """Write down a run as it was planned; a worker carries it out. Raises NothingToDo."""
    if not plan.going:
        raise NothingToDo
    actor = caller.actor
    run = BulkRun.objects.create(
        action=plan.action, actor=actor.short_label, user=actor.user, address=actor.address
    )
    groups: list[tuple[Sequence[Connection], str, str]] = [
        (plan.going, Result.WAITING, ""),
        (plan.phone, Result.PHONE, ""),
        *((rows, Result.SKIPPED, problem) for problem, rows in plan.skipped.items()),
    ]
    BulkItem.objects.bulk_create(
        BulkItem(run=run, connection=row, result=result, problem=problem)
        for rows, result, problem in groups
        for row in rows
    )
    return run


@transaction.atomic
def stop_run(run_id: int) -> None:
    """What has not had its turn is left alone. What was asked for already goes on."""
    now = timezone.now()
    if BulkRun.objects.filter(pk=run_id, stopped_at=None, ended_at=None).update(stopped_at=now):
        waiting = BulkItem.objects.filter(run=run_id, result=Result.WAITING)
        waiting.update(result=Result.STOPPED, problem="", changed_at=now)
        _end_if_over(run_id)


def advance_runs() -> bool:
    """Note what came of earlier requests, and make the next one. Whether any run is open."""
    going_on = BulkRun.objects.filter(ended_at=None).order_by("next_at")
    open_runs = list(going_on.values_list("pk", flat=True))
    for run_id in open_runs:
        _settle(run_id)
    for run_id in open_runs:
        if _make_next(run_id):
            break
    return bool(open_runs)


def _open(run_id: int) -> BulkRun | None:
    """Lock a run that goes on, so that two workers do not do the same."""
    runs = BulkRun.objects.select_for_update(of=("self",)).select_related("user")
    return runs.filter(pk=run_id, ended_at=None).first()


def _write(item: BulkItem, result: str, problem: str = "", reason: str = "") -> None:
    item.result, item.problem, item.reason = result, problem, reason
    item.changed_at = timezone.now()
    item.save()


def _end_if_over(run_id: int) -> None:
    if not BulkItem.objects.filter(run=run_id, result__in=BulkItem.OPEN).exists():
        BulkRun.objects.filter(pk=run_id, ended_at=None).update(ended_at=timezone.now())


# --- The next request ---------------------------------------------------------------------------


@transaction.atomic
def _make_next(run_id: int) -> bool:
    """Whether there was something to do, and it was this run's turn."""
    run, now = _open(run_id), timezone.now()
    if run is None or run.next_at > now:
        return False
    due = Q(not_before=None) | Q(not_before__lte=now)
    item = run.items.filter(due, result=Result.WAITING).first()
    if item is None or (run.action == Action.RECONNECT and under_way() >= BULK_PAIRINGS):
        return False
    try:
        with transaction.atomic():
            _ask(run, item)
    except DatabaseError:
        raise
    except Exception:
        logger.exception("a run's request broke", extra={"organization": item.connection_id})
        _write(item, Result.FAILED, Problem.BROKE)
    BulkRun.objects.filter(pk=run.pk).update(next_at=now + PACE)
    _end_if_over(run.pk)
    return True


def _ask(run: BulkRun, item: BulkItem) -> None:
    """Ask for one connection, if its person still may, and if it still makes sense."""
    user = run.user
    if user is None or not user.is_staff:
        return _write(item, Result.SKIPPED, Problem.NO_RIGHT)
    caller = for_user(user, run.address)
    request = request_reconnect if run.action == Action.RECONNECT else request_disconnect
    try:
        caller.organization(item.connection_id, Permission.OPERATE)
        result, problem = decide(run.action, read_status(item.connection_id))
        if result != Result.WAITING:
            return _write(item, result, problem or "")
        connection = request(item.connection_id, caller.actor)
    except Organization.DoesNotExist:
        return _write(item, Result.SKIPPED, Problem.GONE)
    except PermissionDenied:
        return _write(item, Result.SKIPPED, Problem.NO_RIGHT)
    except TooManyRequests as error:
        item.not_before = timezone.now() + timedelta(seconds=error.wait)
        return _write(item, Result.WAITING, Problem(error.problem))
    except RequestRefused as error:
        return _write(item, Result.SKIPPED, Problem(error.problem))
    item.generation, item.asked_at = connection.generation, timezone.now()
    _write(item, Result.ASKED)


# --- What came of the earlier ones ---------------------------------------------------------------


@transaction.atomic
def _settle(run_id: int) -> None:
    run = _open(run_id)
    if run is None:
        return
    # What waits for a phone counts as done; while the run goes on, it is told what came of it.
    unsure = run.items.filter(result__in=(Result.ASKED, Result.SCAN))
    items = list(unsure.select_related("connection__organization", "connection__worker"))
    if items:
        workforce, started = Worker.workforce(), _last_start()
    for item in items:
        _look_at(run, item, status_of_row(item.connection, workforce), started)
    _end_if_over(run_id)


def _look_at(run: BulkRun, item: BulkItem, observed: ConnectionStatus, started: datetime) -> None:
    """Write down what a request has come to, or that it took too long."""
    if item.connection.generation != item.generation:
        if item.result == Result.ASKED:
            _write(item, Result.FAILED, Problem.SUPERSEDED)
        return
    result = _came_of(run.action, observed)
    # A worker that has just started gets its time.
    late = max(item.asked_at or started, started) + LASTS < timezone.now()
    if result is not None and result != item.result:
        _write(item, result, reason=observed.reason)
    elif result is None and late and item.result == Result.ASKED:
        _write(item, Result.FAILED, Problem.TIMED_OUT)


def _last_start() -> datetime:
    started: datetime | None = Worker.objects.aggregate(last=Max("started_at"))["last"]
    return started or timezone.now()


def _came_of(action: str, observed: ConnectionStatus) -> BulkItem.Result | None:
    """What a request has come to; None while it is being carried out."""
    connection = observed.connection
    if observed.inactive:
        return Result.FAILED
    if connection.started_generation < connection.generation:
        return None
    if action == Action.DISCONNECT:
        if connection.logout_pending:
            return None if connection.disconnecting else Result.FAILED
        return Result.DONE if connection.state == State.DISCONNECTED else Result.FAILED
    if observed.state in PAIRING:
        return Result.SCAN if _shows_code(observed) else None
    return {
        State.CONNECTED: Result.DONE,
        State.RECONNECTING: Result.RETRYING,
    }.get(observed.state, Result.FAILED)


def _shows_code(observed: ConnectionStatus) -> bool:
    """Whether a phone is needed after all: what was saved has turned out to be of no use."""
    reasons = (Reason.PREPARING_CODE, Reason.WAITING_FOR_SCAN)
    return observed.state == State.AWAITING_SCAN or observed.reason in reasons
