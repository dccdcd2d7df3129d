"""The endpoints of an organization, and those of the installation with all that are in trouble."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from organizations.admin.base import caller_of
from organizations.admin.pages import READ, page_view
from webhooks.admin import simulated_receiver
from webhooks.admin.fleet import troubles_of
from webhooks.admin.page import render
from webhooks.admin.place import Place, find_place
from webhooks.admin.rows import endpoint_rows
from webhooks.models import Endpoint
from webhooks.rights import Right


@page_view(*READ)
def organization_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """GET: the endpoints of an organization."""
    place = find_place(request, organization_id, Right.SEE)
    return render(request, place, "webhooks/list/organization.html", _endpoints(place))


@page_view(*READ)
def installation_view(request: HttpRequest) -> HttpResponse:
    """GET: endpoints in trouble of the person's organizations; for administrators also their own.

    All staff may open it.
    """
    caller = caller_of(request)
    place = Place(None, caller)
    context = _endpoints(place) if caller.is_superuser else {}
    context["troubles"] = troubles_of(caller)
    return render(request, place, "webhooks/list/installation.html", context)


def _endpoints(place: Place) -> dict[str, Any]:
    endpoints = Endpoint.objects.present().filter(organization=place.organization)
    endpoints = endpoints.select_related("organization").order_by("pk")
    return {
        "rows": endpoint_rows(list(endpoints)),
        "most": settings.WEBHOOKS_PER_ORGANIZATION,
        "catch": simulated_receiver.state_of(place),
    }
