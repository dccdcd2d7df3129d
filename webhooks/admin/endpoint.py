"""The page of one endpoint: its health, its deliveries, and its buttons."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import pgettext_lazy

from messaging.refusals import MessageRefused
from organizations.access import Actor
from organizations.admin.base import caller_of
from organizations.admin.pages import READ, page_view
from webhooks.actions import endpoints, repeats
from webhooks.admin.message_events import of_message
from webhooks.admin.page import ask, render
from webhooks.admin.place import find_endpoint
from webhooks.admin.rows import DeliveryRow, endpoint_rows
from webhooks.models import Delivery, Endpoint
from webhooks.rights import Right
from webhooks.undelivered import undelivered_of

PAGE = 50
MAX_ID_DIGITS, MAX_MESSAGE_ID = 18, 40
DeliveryState = Delivery.State

FILTERS: dict[str, tuple[Promise, tuple[str, ...]]] = {
    "": (lazy("All"), ()),
    "failed": (pgettext_lazy("deliveries", "Failed"), (DeliveryState.RETRYING, DeliveryState.DEAD)),
    "dead": (pgettext_lazy("deliveries", "Given up"), (DeliveryState.DEAD,)),
    "delivered": (pgettext_lazy("deliveries", "Delivered"), (DeliveryState.DELIVERED,)),
}


@page_view(*READ)
def endpoint_view(
    request: HttpRequest, webhook_id: str, organization_id: int | None = None
) -> HttpResponse:
    """GET: one endpoint with its newest deliveries."""
    place, endpoint = find_endpoint(request, organization_id, webhook_id, Right.SEE)
    show = request.GET.get("show", "")
    show = show if show in FILTERS else ""
    before = _parse_id(request.GET.get("before", ""))
    message_id = request.GET.get("message", "")[:MAX_MESSAGE_ID]
    about = {"message": message_id} if message_id else {}
    found = Delivery.objects.filter(endpoint=endpoint).select_related(
        "cursor", "organization", "original"
    )
    if states := FILTERS[show][1]:
        found = found.filter(state__in=states)
    if message_id:
        found = found.filter(of_message(place, message_id))
    if before:
        found = found.filter(pk__lt=before)
    deliveries = list(found.order_by("-pk")[: PAGE + 1])
    older = deliveries[PAGE - 1].pk if len(deliveries) > PAGE else None
    (row,) = endpoint_rows([endpoint])
    context = {
        "endpoint": endpoint,
        "row": row,
        "undelivered": undelivered_of(endpoint),
        "filters": [(value, name) for value, (name, _states) in FILTERS.items()],
        "show": show,
        "about": urlencode(about),
        "rows": [DeliveryRow(delivery) for delivery in deliveries[:PAGE]],
        "before": before,
        "older": urlencode({"show": show, **about, "before": older}) if older else "",
    }
    return render(request, place, "webhooks/endpoint/page.html", context)


def _press(
    request: HttpRequest,
    organization_id: int | None,
    webhook_id: str,
    right: Right,
    act: Callable[[Endpoint, Actor], object],
    done: str,
) -> HttpResponse:
    """Carry out what a button of the page does, and return to the page."""
    place, endpoint = find_endpoint(request, organization_id, webhook_id, right)
    try:
        act(endpoint, caller_of(request).actor)
    except MessageRefused as refused:
        messages.error(request, refused.sentence)
    else:
        messages.success(request, done)
    return redirect(place.url("webhook", webhook_id))


@page_view("POST")
def test_view(
    request: HttpRequest, webhook_id: str, organization_id: int | None = None
) -> HttpResponse:
    """POST: send a test event."""
    done = _("A test event is on its way.")
    return _press(request, organization_id, webhook_id, Right.REPEAT, repeats.test, done)


@page_view("POST")
def pause_view(
    request: HttpRequest, webhook_id: str, organization_id: int | None = None
) -> HttpResponse:
    """POST: send nothing more until it is turned on."""
    done = _("It is paused. What happens meanwhile waits.")
    return _press(request, organization_id, webhook_id, Right.MANAGE, endpoints.pause, done)


@page_view("POST")
def enable_view(
    request: HttpRequest, webhook_id: str, organization_id: int | None = None
) -> HttpResponse:
    """POST: send again what waits."""
    done = _("It is on. What waited is on its way, in its order.")
    return _press(request, organization_id, webhook_id, Right.EDIT, endpoints.enable, done)


@page_view(*READ, "POST")
def delete_view(
    request: HttpRequest, webhook_id: str, organization_id: int | None = None
) -> HttpResponse:
    """GET: ask. POST: delete an endpoint."""
    place, endpoint = find_endpoint(request, organization_id, webhook_id, Right.MANAGE)
    if request.method == "POST":
        endpoints.delete(endpoint, caller_of(request).actor)
        messages.success(request, _("The webhook is deleted."))
        return redirect(place.url("webhooks"))
    effects = [
        _("Nothing more is sent to it, and what waits for it is not sent."),
        _("Its log of deliveries is deleted. The messages and their log stay."),
        _("There is no way back: a new webhook has a new secret."),
    ]
    return ask(
        request,
        place,
        question=_("Delete the webhook to {host}?").format(host=endpoint.host),
        button=_("Delete"),
        back=place.url("webhook", webhook_id),
        effects=effects,
        dangerous=True,
    )


def _parse_id(text: str) -> int:
    """Return a positive id, 0 for anything else."""
    digits = text.isascii() and text.isdigit() and len(text) <= MAX_ID_DIGITS
    return int(text) if digits else 0
