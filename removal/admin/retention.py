"""The part of the Settings tab about what is kept for how long."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from messaging.admin.page import render_tab
from messaging.admin.rights import find_organization, rights_of
from organizations.access import Permission
from organizations.admin.base import caller_of
from organizations.models import Organization
from removal import retention
from removal.admin.forms import RetentionForm


@never_cache
def retention_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """GET: the days. POST: change them; what would be deleted at once is asked about first."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    if request.method != "POST":
        organization = find_organization(request, organization_id)
        form = RetentionForm(initial=retention.stored_days(organization.pk))
        return _page(request, organization, form)
    organization = find_organization(request, organization_id, Permission.MANAGE)
    form = RetentionForm(request.POST)
    if not form.is_valid():
        return _page(request, organization, form, status=400)
    days = retention.effective(organization.pk, form.cleaned_data)
    doomed = retention.too_old(organization.pk, days)
    if doomed and "confirmed" not in request.POST:
        return _page(request, organization, form, doomed)
    retention.change(organization, form.cleaned_data, caller_of(request).actor)
    messages.success(request, _("The settings are saved."))
    return redirect("organization_retention", organization.pk)


def _page(
    request: HttpRequest,
    organization: Organization,
    form: RetentionForm,
    doomed: dict[str, int] | None = None,
    status: int = 200,
) -> HttpResponse:
    """Return the page. `doomed`: how many of each are too old, which a person has to confirm."""
    stored = retention.stored_days(organization.pk)
    context = {
        "tab": "settings",
        "part": "retention",
        "form": form,
        "doomed": doomed,
        "days": retention.effective(organization.pk, stored),
        "default_media": settings.MEDIA_RETENTION_DAYS,
        "default_deliveries": settings.DELIVERY_RETENTION_DAYS,
        "default_history": settings.HISTORY_RETENTION_DAYS,
    }
    rights = rights_of(request, organization)
    return render_tab(request, organization, rights, "removal/retention.html", context, status)
