"""Reconnect and disconnect many at once, in Django admin: the question, and how the run goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseNotAllowed,
    JsonResponse,
)
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from connections import actions
from connections.admin.page import ConnectionPage
from connections.bulk import Plan, items_of, plan, progress, visible_runs
from connections.models import BulkItem, BulkRun, Connection
from organizations.access import PERMISSIONS, Permission
from organizations.admin.base import caller_of

Action = BulkRun.Action

SURE_ABOVE = 10
"""A disconnect of more than these is confirmed by typing how many they are."""
# A change is dated a moment before others can see it.
OVERLAP = timedelta(seconds=10)
LONGEST_ID = 18


class BulkPages(ConnectionPage):
    """The two actions of the list. `actions` writes, and a worker carries out."""

    def get_urls(self) -> list[URLPattern]:
        views: dict[str, tuple[Callable[..., HttpResponse], str]] = {
            "bulk/": (self.bulk_view, "bulk"),
            "bulk/<int:run_id>/": (self.run_view, "run"),
            "bulk/<int:run_id>/progress/": (self.progress_view, "run_progress"),
            "bulk/<int:run_id>/stop/": (self.stop_view, "run_stop"),
        }
        own = [
            path(route, self.admin_site.admin_view(view), name=f"connections_connection_{name}")
            for route, (view, name) in views.items()
        ]
        return own + super().get_urls()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """None for those who may only look."""
        caller = caller_of(request)
        if not caller.is_superuser:
            roles = set(caller.roles(caller.organizations).values())
            if not any(Permission.OPERATE in PERMISSIONS[role] for role in roles):
                return {}
        return super().get_actions(request)

    # --- The question ----------------------------------------------------------------------------

    @admin.action(description=lazy("Reconnect…"))
    def bulk_reconnect(self, request: HttpRequest, queryset: QuerySet[Connection]) -> HttpResponse:
        return self._asked(request, Action.RECONNECT, set(queryset.values_list("pk", flat=True)))

    @admin.action(description=lazy("Disconnect…"))
    def bulk_disconnect(self, request: HttpRequest, queryset: QuerySet[Connection]) -> HttpResponse:
        return self._asked(request, Action.DISCONNECT, set(queryset.values_list("pk", flat=True)))

    def _asked(self, request: HttpRequest, action: str, chosen: set[int]) -> HttpResponse:
        return self._question(request, self._plan(request, action, chosen))

    def _plan(self, request: HttpRequest, action: str, chosen: set[int]) -> Plan:
        caller = caller_of(request)
        rows = self.visible(caller).select_related("organization", "worker")
        ordered = rows.order_by("organization__name", "pk")
        # Not asked for by their ids: a database takes only so many of them.
        return plan(caller, action, [row for row in ordered if row.pk in chosen])

    def _question(self, request: HttpRequest, found: Plan, problem: str = "") -> HttpResponse:
        going = len(found.going)
        context = {
            "title": _titles(found.action, going),
            "plan": found,
            "button": str(Action(found.action).label),
            "disconnects": found.action == Action.DISCONNECT,
            "skipped": [(problem.label, rows) for problem, rows in found.skipped.items()],
            "chosen": ",".join(str(row.pk) for row in found.everyone),
            "sure": going if found.action == Action.DISCONNECT and going > SURE_ABOVE else 0,
            "problem": problem,
        }
        return self.page(request, "connections/bulk/confirm.html", context)

    def bulk_view(self, request: HttpRequest) -> HttpResponse:
        """POST: begin what the question told, unless it is not what it was."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        action = request.POST.get("action", "")
        if action not in Action.values:
            return HttpResponseBadRequest()
        found = self._plan(request, action, _ids(request.POST.get("chosen", "")))
        going = len(found.going)
        sure = request.POST.get("sure", "").strip() == str(going)
        if action == Action.DISCONNECT and going > SURE_ABOVE and not sure:
            problem = _("Type {number} to confirm.").format(number=going)
            return self._question(request, found, problem)
        try:
            run = actions.start_run(caller_of(request), found)
        except actions.NothingToDo:
            return self._question(request, found)
        return redirect("admin:connections_connection_run", run.pk)

    # --- How it goes -----------------------------------------------------------------------------

    def _run(self, request: HttpRequest, run_id: int) -> BulkRun:
        """Raises Http404 for all but who made it, and superusers."""
        run = visible_runs(caller_of(request)).filter(pk=run_id).first()
        if run is None:
            raise Http404
        return run

    def run_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """GET: the run, with a result for each."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        run = self._run(request, run_id)
        context = {
            "title": _running_titles(run),
            "run": run,
            "told": progress(run),
            "items": items_of(run, caller_of(request)),
        }
        return self.page(request, "connections/bulk/run.html", context)

    def progress_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """GET: how far it is, and what changed `since` the last time; for the page's script."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        run, now = self._run(request, run_id), timezone.now()
        items = items_of(run, caller_of(request), _moment(request.GET.get("since", "")))
        told = {"items": items, "since": (now - OVERLAP).isoformat()}
        return JsonResponse(progress(run) | told)

    def stop_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """POST: leave alone what has not had its turn."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        actions.stop_run(self._run(request, run_id).pk)
        return redirect("admin:connections_connection_run", run_id)


def open_runs(request: HttpRequest) -> list[BulkRun]:
    """Runs of this person's that go on, for the list to lead to."""
    return list(visible_runs(caller_of(request)).filter(ended_at=None, user=request.user.pk or 0))


def _ids(text: str) -> set[int]:
    found = (part for part in text.split(",") if len(part) <= LONGEST_ID)
    return {int(part) for part in found if part.isascii() and part.isdigit()}


def _moment(text: str) -> datetime | None:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found and timezone.is_aware(found) else None


def _titles(action: str, count: int) -> str:
    if action == Action.RECONNECT:
        text = ngettext(
            "Reconnect: {count} organization", "Reconnect: {count} organizations", count
        )
    else:
        text = ngettext(
            "Disconnect: {count} organization", "Disconnect: {count} organizations", count
        )
    return text.format(count=count)


def _running_titles(run: BulkRun) -> str:
    waiting = run.items.exclude(result__in=[BulkItem.Result.PHONE, BulkItem.Result.SKIPPED])
    return _titles(run.action, waiting.count())
