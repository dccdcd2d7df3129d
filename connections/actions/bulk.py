"""Bulk runs: one request about many connections, carried out by any worker."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction
from django.db.models import Max, Q
from django.utils import timezone

from connections import broadcast
from connections.actions.requests import request_disconnect, request_reconnect
from connections.bulk import MAX_BULK_PAIRINGS, Plan, count_unfinished_reconnects, decide
from connections.lifecycle import PAIRING, Reason, State
from connections.models import BulkItem, BulkRun, Connection, Worker
from connections.refusals import RequestRefused, TooManyRequests
from connections.status import ConnectionStatus, read_status, status_of_row
from organizations.access import Caller, Permission, for_user
from organizations.models import Organization

logger = logging.getLogger(__name__)

Action, Result, Problem = BulkRun.Action, BulkItem.Result, BulkItem.Problem

BULK_RUNS = "bulk runs"
"""The kind of work that workers are notified of (`broadcast.notify_work`)."""
REQUEST_INTERVAL = timedelta(seconds=0.2)
"""The time between two requests of one run."""
REQUEST_TIMEOUT = timedelta(minutes=2)
"""A run waits this long for the result of a request, which then goes on by itself."""


class NothingToDo(Exception):
    """None of the chosen connections can be changed."""


@transaction.atomic
def start_run(caller: Caller, plan: Plan) -> BulkRun:
    """Save a run as planned; a worker carries it out. Raises NothingToDo."""
    if not plan.to_run:
        raise NothingToDo
    actor = caller.actor
    run = BulkRun.objects.create(
        action=plan.action,
        missing=plan.missing,
        actor=actor.short_label,
        user=actor.user,
        address=actor.address,
    )
    groups: list[tuple[Sequence[Connection], str, str]] = [
        (plan.to_run, Result.WAITING, ""),
        (plan.needs_phone, Result.PHONE, ""),
        *((rows, Result.SKIPPED, problem) for problem, rows in plan.skipped.items()),
    ]
    BulkItem.objects.bulk_create(
        BulkItem(run=run, connection=row, result=result, problem=problem)
        for rows, result, problem in groups
        for row in rows
    )
    broadcast.notify_work(BULK_RUNS)
    return run


@transaction.atomic
def stop_run(run_id: int) -> None:
    """Stop a run: its waiting items are not requested. Requests that were made go on."""
    now = timezone.now()
    if BulkRun.objects.filter(pk=run_id, stopped_at=None, ended_at=None).update(stopped_at=now):
        waiting = BulkItem.objects.filter(run=run_id, result=Result.WAITING)
        waiting.update(result=Result.STOPPED, problem="", changed_at=now)
        _end_if_finished(run_id)


def advance_runs() -> bool:
    """Save results and make the next request. Return whether any run is open."""
    runs = BulkRun.objects.filter(ended_at=None).order_by("next_at")
    open_runs = list(runs.values_list("pk", flat=True))
    for run_id in open_runs:
        _save_results(run_id)
    for run_id in open_runs:
        if _make_next_request(run_id):
            break
    return bool(open_runs)


def _lock_open_run(run_id: int) -> BulkRun | None:
    """Lock and return an open run, so that only one worker advances it."""
    runs = BulkRun.objects.select_for_update(of=("self",)).select_related("user")
    return runs.filter(pk=run_id, ended_at=None).first()


def _save(item: BulkItem, result: str, problem: str = "", reason: str = "") -> None:
    item.result, item.problem, item.reason = result, problem, reason
    item.changed_at = timezone.now()
    item.save()


def _end_if_finished(run_id: int) -> None:
    if not BulkItem.objects.filter(run=run_id, result__in=BulkItem.OPEN).exists():
        BulkRun.objects.filter(pk=run_id, ended_at=None).update(ended_at=timezone.now())


# --- The next request ---------------------------------------------------------------------------


@transaction.atomic
def _make_next_request(run_id: int) -> bool:
    """Make the run's next request. Return False if it is not its turn or none is due."""
    run, now = _lock_open_run(run_id), timezone.now()
    if run is None or run.next_at > now:
        return False
    due = Q(not_before=None) | Q(not_before__lte=now)
    item = run.items.filter(due, result=Result.WAITING).first()
    if item is None or (
        run.action == Action.RECONNECT and count_unfinished_reconnects() >= MAX_BULK_PAIRINGS
    ):
        return False
    try:
        with transaction.atomic():
            _request(run, item)
    except DatabaseError:
        raise
    except Exception:
        logger.exception("a bulk request failed", extra={"organization": item.connection_id})
        _save(item, Result.FAILED, Problem.BROKE)
    BulkRun.objects.filter(pk=run.pk).update(next_at=now + REQUEST_INTERVAL)
    _end_if_finished(run.pk)
    return True


def _request(run: BulkRun, item: BulkItem) -> None:
    """Request one connection, if the person still may and it still makes sense."""
    user = run.user
    if user is None or not user.is_staff:
        return _save(item, Result.SKIPPED, Problem.NO_RIGHT)
    caller = for_user(user, run.address)
    request = request_reconnect if run.action == Action.RECONNECT else request_disconnect
    try:
        caller.organization(item.connection_id, Permission.OPERATE)
        result, problem = decide(run.action, read_status(item.connection_id))
        if result != Result.WAITING:
            return _save(item, result, problem or "")
        connection = request(item.connection_id, caller.actor)
    except Organization.DoesNotExist:
        return _save(item, Result.SKIPPED, Problem.GONE)
    except PermissionDenied:
        return _save(item, Result.SKIPPED, Problem.NO_RIGHT)
    except TooManyRequests as error:
        item.not_before = timezone.now() + timedelta(seconds=error.wait)
        return _save(item, Result.WAITING, Problem(error.problem))
    except RequestRefused as error:
        return _save(item, Result.SKIPPED, Problem(error.problem))
    item.generation, item.asked_at = connection.generation, timezone.now()
    _save(item, Result.ASKED)


# --- The results ----------------------------------------------------------------------------------


@transaction.atomic
def _save_results(run_id: int) -> None:
    run = _lock_open_run(run_id)
    if run is None:
        return
    # A scan counts as done, but its result is still updated while the run is open.
    open_items = run.items.filter(result__in=(Result.ASKED, Result.SCAN))
    items = list(open_items.select_related("connection__organization", "connection__worker"))
    if items:
        workforce, started = Worker.workforce(), _last_start()
    for item in items:
        _save_result(run, item, status_of_row(item.connection, workforce), started)
    _end_if_finished(run_id)


def _save_result(run: BulkRun, item: BulkItem, status: ConnectionStatus, started: datetime) -> None:
    """Save the result of a request, or that it took too long."""
    if item.connection.generation != item.generation:
        if item.result == Result.ASKED:
            _save(item, Result.FAILED, Problem.SUPERSEDED)
        return
    result = _result_of(run.action, status)
    # A worker that has just started gets the whole time.
    timed_out = max(item.asked_at or started, started) + REQUEST_TIMEOUT < timezone.now()
    if result is not None and result != item.result:
        _save(item, result, reason=status.reason)
    elif result is None and timed_out and item.result == Result.ASKED:
        _save(item, Result.FAILED, Problem.TIMED_OUT)


def _last_start() -> datetime:
    started: datetime | None = Worker.objects.aggregate(last=Max("started_at"))["last"]
    return started or timezone.now()


def _result_of(action: str, status: ConnectionStatus) -> BulkItem.Result | None:
    """Return the result of a request; None while it is being carried out."""
    connection = status.connection
    if status.inactive:
        return Result.FAILED
    if connection.started_generation < connection.generation:
        return None
    if action == Action.DISCONNECT:
        if connection.logout_pending:
            return None if connection.disconnecting else Result.FAILED
        return Result.DONE if connection.state == State.DISCONNECTED else Result.FAILED
    if status.state in PAIRING:
        return Result.SCAN if _needs_scan(status) else None
    return {
        State.CONNECTED: Result.DONE,
        State.RECONNECTING: Result.RETRYING,
    }.get(status.state, Result.FAILED)


def _needs_scan(status: ConnectionStatus) -> bool:
    """Return whether a code has to be scanned, as the saved login no longer works."""
    reasons = (Reason.PREPARING_CODE, Reason.WAITING_FOR_SCAN)
    return status.state == State.AWAITING_SCAN or status.reason in reasons
