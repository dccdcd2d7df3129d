"""Add and change endpoints, and show a new secret once."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from messaging.refusals import MessageRefused
from organizations.admin.base import caller_of
from organizations.admin.pages import READ, page_view
from outbound.errors import AddressRefused
from webhooks import refusals
from webhooks.actions import endpoints
from webhooks.actions.endpoints import Created, NewEndpoint
from webhooks.admin import simulated_receiver
from webhooks.admin.forms import EndpointForm
from webhooks.admin.page import ask, render
from webhooks.admin.place import Place, find_endpoint, find_place
from webhooks.formats import FORMATS
from webhooks.models import Endpoint
from webhooks.rights import Right
from webhooks.sentences import state_sentence


@page_view(*READ, "POST")
def add_view(request: HttpRequest, organization_id: int | None = None) -> HttpResponse:
    """GET: the form. POST: add an endpoint, and show its secret, once."""
    place = find_place(request, organization_id, Right.EDIT)
    form = EndpointForm(request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid():
        return _form(request, place, form, None)
    data = form.cleaned_data
    new = NewEndpoint(data["url"], data["types"], data["format"], None, data["verify_token"])
    try:
        created = endpoints.create(place.organization, new, caller_of(request).actor)
    except MessageRefused as refused:
        _note(form, refused)
        return _form(request, place, form, None)
    return show_secret(request, place, created, _("The webhook is added."))


@page_view(*READ, "POST")
def edit_view(
    request: HttpRequest, webhook_id: str, organization_id: int | None = None
) -> HttpResponse:
    """GET: the form. POST: give an endpoint another address or other types of events."""
    place, endpoint = find_endpoint(request, organization_id, webhook_id, Right.EDIT)
    if request.method != "POST":
        return _form(request, place, EndpointForm.of(endpoint), endpoint)
    form = EndpointForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        try:
            endpoints.change(
                endpoint, caller_of(request).actor, url=data["url"], types=data["types"]
            )
        except MessageRefused as refused:
            _note(form, refused)
    if not form.is_valid():
        return _form(request, place, form, endpoint)
    messages.success(request, _("The changes are saved."))
    return redirect(place.url("webhook", webhook_id))


@page_view(*READ, "POST")
def rotate_view(
    request: HttpRequest, webhook_id: str, organization_id: int | None = None
) -> HttpResponse:
    """GET: ask. POST: give an endpoint a new secret, and show it, once."""
    place, endpoint = find_endpoint(request, organization_id, webhook_id, Right.EDIT)
    if request.method == "POST":
        created = endpoints.rotate(endpoint, caller_of(request).actor)
        simulated_receiver.pass_on(created)
        return show_secret(request, place, created, _("The secret is new."))
    effects = [_("The new secret is shown once, on the next page.")]
    if FORMATS[endpoint.format].signs_twice:
        effects += [
            _(
                "For 24 hours each event carries two signatures, with the new and with the old "
                "secret."
            ),
            _("Give your software the new secret within that time."),
        ]
    else:
        effects.append(_("It signs at once: until your software knows it, events are refused."))
    return ask(
        request,
        place,
        question=_("Give {host} a new secret?").format(host=endpoint.host),
        button=_("Rotate secret"),
        back=place.url("webhook", webhook_id),
        effects=effects,
    )


def show_secret(request: HttpRequest, place: Place, created: Created, done: str) -> HttpResponse:
    """Return the page that shows a secret. Nothing shows it again."""
    return render(
        request,
        place,
        "webhooks/secret/page.html",
        {
            "endpoint": created.endpoint,
            "secret": created.secret,
            "verify_token": created.verify_token,
            "sentence": state_sentence(created.endpoint),
            "done": done,
        },
    )


def _note(form: EndpointForm, refused: MessageRefused) -> None:
    """Add to a form why its request was refused."""
    if isinstance(refused, refusals.BadAddress):
        form.add_error("url", AddressRefused().sentence)
    else:
        form.add_error(None, refused.sentence)


def _form(
    request: HttpRequest, place: Place, form: EndpointForm, endpoint: Endpoint | None
) -> HttpResponse:
    back = place.url("webhook", endpoint.public_id) if endpoint else place.url("webhooks")
    context: dict[str, Any] = {"form": form, "endpoint": endpoint, "back": back}
    status = 400 if form.is_bound else 200
    return render(request, place, "webhooks/edit.html", context, status)
