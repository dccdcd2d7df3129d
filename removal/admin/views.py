"""Views: what would go, the export, and the removals of the installation."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from connections.models import Connection
from messaging.admin.forms import OpenForm
from messaging.admin.page import render_tab
from messaging.admin.rights import find_organization, rights_of
from organizations.access import Permission
from organizations.admin.base import caller_of
from organizations.audit_labels import CONTENT_LABELS
from organizations.models import Organization
from removal import actions, contents
from removal.admin.forms import WAIT, RemoveForm
from removal.archive import archive_response
from removal.models import Removal
from removal.refusals import NothingToDecide
from removal.status import RemovalStatus, counted, status_of

LATEST = 100


@never_cache
def remove_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """GET: what would go, and the question. POST: start the removal."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    organization = find_organization(request, organization_id)
    if not caller_of(request).is_superuser:
        raise PermissionDenied
    form = RemoveForm(organization, request.POST if request.method == "POST" else None)
    if form.is_valid():
        actor = caller_of(request).actor
        actions.start_removal(organization, actor, wait_for_logout=form.waits)
        return redirect("removal", organization.pk)
    return _remove_page(request, organization, form, status=400 if form.is_bound else 200)


def archive_view(request: HttpRequest, organization_id: int) -> HttpResponseBase:
    """POST: all data of the organization as a ZIP file. Administrators say why they read it."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    organization = find_organization(request, organization_id, Permission.MANAGE)
    actor = caller_of(request).actor
    if caller_of(request).is_superuser:
        form = OpenForm(request.POST)
        if not form.is_valid():
            return _remove_page(request, organization, reason=form, status=400)
        actions.record_archive(organization, actor, form.cleaned_data["reason"])
    else:
        caller_of(request).require_full_data(organization)
        actions.record_archive(organization, actor)
    return archive_response(organization, caller_of(request))


def _remove_page(
    request: HttpRequest,
    organization: Organization,
    form: RemoveForm | None = None,
    reason: OpenForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """Return the page with what would go. `form`, `reason`: those that had a problem."""
    found = contents.count(organization.pk)
    context = {
        "tab": "settings",
        "part": "organization",
        "form": form or RemoveForm(organization),
        "chosen": form["logout"].value() if form is not None and form.is_bound else WAIT,
        "reason": reason,
        "contents": _labelled(found.counts),
        "media_bytes": found.media_bytes,
        "linked": bool(Connection.objects.of(organization).store_name),
    }
    rights = rights_of(request, organization)
    return render_tab(request, organization, rights, "removal/remove.html", context, status)


@never_cache
def removals_view(request: HttpRequest) -> HttpResponse:
    """The newest removals, running and done."""
    _require_superuser(request)
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    found = [status_of(removal) for removal in Removal.objects.all()[:LATEST]]
    return _page(request, "removal/list.html", {"removals": found})


@never_cache
def removal_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """One removal: how far it has come, and what can be decided."""
    _require_superuser(request)
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    status = _find(organization_id)
    context = {"status": status, "deleted": _labelled(counted(status.removal))}
    return _page(request, "removal/removal.html", context)


def logout_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """POST: try the logout again, or for the last time before all is deleted."""
    _require_superuser(request)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    _find(organization_id)
    waits = request.POST.get("logout") == WAIT
    try:
        actions.decide_logout(organization_id, caller_of(request).actor, wait_for_logout=waits)
    except NothingToDecide as refused:
        messages.info(request, str(refused))
    return redirect("removal", organization_id)


def _find(organization_id: int) -> RemovalStatus:
    """Return the status of a removal. Raises Http404."""
    removal = Removal.objects.filter(pk=organization_id).first()
    if removal is None:
        raise Http404
    return status_of(removal)


def _require_superuser(request: HttpRequest) -> None:
    if not caller_of(request).is_superuser:
        raise PermissionDenied


def _labelled(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Return the kinds of which there are any, as people read them, with their counts."""
    return [(_(label), counts[name]) for name, label in CONTENT_LABELS.items() if counts[name]]


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
    shared = {**admin.site.each_context(request), "title": _("Removed organizations")}
    request.current_app = admin.site.name
    return TemplateResponse(request, template, shared | context)
