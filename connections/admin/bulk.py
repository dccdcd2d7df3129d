"""Bulk reconnect and disconnect in Django admin: the confirmation, and the run's page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
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
from connections.admin.bulk_links import question
from connections.admin.forms import ids_in, posted_ids
from connections.admin.queue import QueuePages
from connections.bulk import Plan, plan, progress, serialize_items, visible_runs
from connections.bulk_texts import phones_text
from connections.models import BulkItem, BulkRun, Connection
from organizations.access import PERMISSIONS, Permission
from organizations.admin.base import caller_of
from organizations.id_sets import format_ids

Action = BulkRun.Action

CONFIRM_ABOVE = 10
"""A disconnect of more than these is confirmed by typing their number."""
# A change gets its time before its transaction commits.
OVERLAP = timedelta(seconds=10)
ALL_IDS = "all_ids"
"""The field of the list that carries the ids of all its pages."""


class BulkPages(QueuePages):
    """The list's bulk actions. `actions` saves a run, and a worker carries it out."""

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
        """Return no actions for viewers."""
        caller = caller_of(request)
        if not caller.is_superuser:
            roles = set(caller.roles(caller.organizations).values())
            if not any(Permission.OPERATE in PERMISSIONS[role] for role in roles):
                return {}
        return super().get_actions(request)

    # --- The confirmation ------------------------------------------------------------------------

    @admin.action(description=lazy("Reconnect…"))
    def bulk_reconnect(self, request: HttpRequest, queryset: QuerySet[Connection]) -> HttpResponse:
        return self._confirm(request, Action.RECONNECT)

    @admin.action(description=lazy("Disconnect…"))
    def bulk_disconnect(self, request: HttpRequest, queryset: QuerySet[Connection]) -> HttpResponse:
        return self._confirm(request, Action.DISCONNECT)

    @admin.action(description=lazy("Links for owners…"))
    def bulk_owner_links(
        self, request: HttpRequest, queryset: QuerySet[Connection]
    ) -> HttpResponse:
        return question(request, _chosen_ids(request))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Answer a bulk action before Django filters the list.

        By then some of what was ticked may match the filter no more, or its page may be gone.
        """
        if request.method == "POST" and _chosen_ids(request):
            name = request.POST.get("action", "")
            if chosen := self.get_actions(request).get(name):
                response: HttpResponse = chosen[0](self, request, self.model.objects.none())
                return response
        return super().changelist_view(request, extra_context)

    def _confirm(self, request: HttpRequest, action: str) -> HttpResponse:
        ids = _chosen_ids(request)
        return self._confirmation_page(request, self._plan(request, action, ids), ids)

    def _plan(self, request: HttpRequest, action: str, ids: list[int]) -> Plan:
        caller, chosen = caller_of(request), set(ids)
        rows = self.visible(caller).select_related("organization", "worker")
        ordered = rows.order_by("organization__folded_name", "pk")
        # Filtered here and not by id__in: a database limits the number of parameters.
        found = [row for row in ordered if row.pk in chosen]
        return plan(caller, action, found, missing=len(chosen) - len(found))

    def _confirmation_page(
        self, request: HttpRequest, new_plan: Plan, ids: list[int], problem: str = ""
    ) -> HttpResponse:
        count = len(new_plan.to_run)
        context = {
            "title": _title(new_plan.action, count, len(new_plan.needs_phone)),
            "plan": new_plan,
            "phones": format_ids(row.pk for row in new_plan.needs_phone),
            "phones_text": phones_text(len(new_plan.needs_phone)),
            "button": str(Action(new_plan.action).label),
            "disconnects": new_plan.action == Action.DISCONNECT,
            "skipped": [(problem.label, rows) for problem, rows in new_plan.skipped.items()],
            "gone": str(BulkItem.Problem.GONE.label),
            "chosen": format_ids(ids),
            "sure": count if new_plan.action == Action.DISCONNECT and count > CONFIRM_ABOVE else 0,
            "problem": problem,
        }
        return self.page(request, "connections/bulk/confirm.html", context)

    def bulk_view(self, request: HttpRequest) -> HttpResponse:
        """POST: start the confirmed run, or ask again if the plan has changed."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        action = request.POST.get("action", "")
        if action not in Action.values:
            return HttpResponseBadRequest()
        ids = posted_ids(request, "chosen")
        new_plan = self._plan(request, action, ids)
        count = len(new_plan.to_run)
        confirmed = request.POST.get("sure", "").strip() == str(count)
        if action == Action.DISCONNECT and count > CONFIRM_ABOVE and not confirmed:
            problem = _("Type {number} to confirm.").format(number=count)
            return self._confirmation_page(request, new_plan, ids, problem)
        try:
            run = actions.start_run(caller_of(request), new_plan)
        except actions.NothingToDo:
            return self._confirmation_page(request, new_plan, ids)
        return redirect("admin:connections_connection_run", run.pk)

    # --- The run ---------------------------------------------------------------------------------

    def _run(self, request: HttpRequest, run_id: int) -> BulkRun:
        """Return the run. Raises Http404 for all but its maker and superusers."""
        run = visible_runs(caller_of(request)).filter(pk=run_id).first()
        if run is None:
            raise Http404
        return run

    def run_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """GET: the run and the result of each connection."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        run = self._run(request, run_id)
        context = {
            "title": _run_title(run),
            "run": run,
            "progress": progress(run, caller_of(request)),
            "items": serialize_items(run, caller_of(request)),
        }
        return self.page(request, "connections/bulk/run.html", context)

    def progress_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """GET: the progress, and the items that changed `since` the last time, as JSON."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        run, now = self._run(request, run_id), timezone.now()
        items = serialize_items(run, caller_of(request), _parse_time(request.GET.get("since", "")))
        changes = {"items": items, "since": (now - OVERLAP).isoformat()}
        return JsonResponse(progress(run, caller_of(request)) | changes)

    def stop_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """POST: stop the run before its next request."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        actions.stop_run(self._run(request, run_id).pk)
        return redirect("admin:connections_connection_run", run_id)


def open_runs(request: HttpRequest) -> list[BulkRun]:
    """Return this person's runs that are open, for links on the list."""
    return list(visible_runs(caller_of(request)).filter(ended_at=None, user=request.user.pk or 0))


def _chosen_ids(request: HttpRequest) -> list[int]:
    """Return the ids that were ticked on the list, or all that it showed on all of its pages."""
    if request.POST.get("select_across") == "1" and request.POST.get(ALL_IDS):
        return posted_ids(request, ALL_IDS)
    return ids_in(",".join(request.POST.getlist(ACTION_CHECKBOX_NAME)))


def _parse_time(text: str) -> datetime | None:
    try:
        time = parse_datetime(text)
    except ValueError:
        return None
    return time if time and timezone.is_aware(time) else None


def _title(action: str, count: int, phones: int = 0) -> str:
    if not count and phones:
        text = ngettext(
            "Reconnect: {count} organization needs its phone",
            "Reconnect: {count} organizations need their phones",
            phones,
        )
        return text.format(count=phones)
    if action == Action.RECONNECT:
        text = ngettext(
            "Reconnect: {count} organization", "Reconnect: {count} organizations", count
        )
    else:
        text = ngettext(
            "Disconnect: {count} organization", "Disconnect: {count} organizations", count
        )
    return text.format(count=count)


def _run_title(run: BulkRun) -> str:
    waiting = run.items.exclude(result__in=[BulkItem.Result.PHONE, BulkItem.Result.SKIPPED])
    return _title(run.action, waiting.count())
