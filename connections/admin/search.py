"""The search in the header of every page of the admin."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from organizations.admin.base import caller_of
from organizations.search import MAX_LENGTH, search_filter


@require_safe
def search_view(request: HttpRequest) -> HttpResponse:
    """GET: redirect to the connection that `q` finds, or to the list of all that it finds."""
    page = "admin:connections_connection_changelist"
    text = request.GET.get("q", "").strip()[:MAX_LENGTH]
    if not text:
        return redirect(page)
    found = caller_of(request).organizations.filter(search_filter(text))
    ids = list(found.order_by().values_list("pk", flat=True)[:2])
    if len(ids) == 1:
        return redirect("admin:connections_connection_change", ids[0])
    return redirect(f"{reverse(page)}?{urlencode({'q': text})}")
