"""Catch it here: an endpoint of this installation, with WHATSAPP_SERVER=simulator only.

It lies at the simulator, and gets its events the way every other endpoint does: by the worker,
signed, with retries. The page shows what arrived, and can let it answer 500.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from connections import simulator_bridge
from connections.simulator_bridge import ReceivedRequest, ReceiverFailed
from messaging.refusals import MessageRefused
from organizations.access import Caller
from organizations.admin.base import caller_of
from organizations.admin.pages import page_view
from organizations.models import Organization
from webhooks.actions import endpoints
from webhooks.actions.endpoints import Created, NewEndpoint
from webhooks.admin.place import Place, find_place
from webhooks.models import Endpoint
from webhooks.rights import Right


@dataclass(frozen=True)
class ReceivedRequestRow:
    """A delivery that arrived. `type` and `body` are what its JSON says."""

    request: ReceivedRequest
    type: str
    body: str

    @property
    def tone(self) -> str:
        return "good" if self.request.answered == 200 else "bad"


@dataclass(frozen=True)
class ReceiverState:
    """What the card shows. `place`: where the endpoint belongs; `endpoint`: None until added."""

    place: Place
    endpoint: Endpoint | None = None
    fails: bool = False
    rows: list[ReceivedRequestRow] = field(default_factory=list)
    problem: str = ""


@page_view("POST")
def add_view(request: HttpRequest, organization_id: int | None = None) -> HttpResponse:
    """POST: add the endpoint. 404 without the simulator."""
    place = _place(request, organization_id)
    try:
        if _find(place.organization) is None:
            _add(place, caller_of(request))
            messages.success(request, _("It listens. Send a test event, or let something happen."))
    except (ReceiverFailed, MessageRefused) as error:
        messages.error(request, _failed(error))
    return redirect(_back(organization_id, place))


@page_view("POST")
def answer_view(request: HttpRequest, organization_id: int | None = None) -> HttpResponse:
    """POST: let it answer 500, or 200 again. 404 without the simulator."""
    place = _place(request, organization_id)
    fails = request.POST.get("answer") == "500"
    try:
        endpoint = _find(place.organization)
        if endpoint is None:
            raise Http404
        simulator_bridge.set_receiver(_name(endpoint), fails=fails)
    except ReceiverFailed as error:
        messages.error(request, _failed(error))
    return redirect(_back(organization_id, place))


def state_of(place: Place) -> ReceiverState | None:
    """Return what the card shows, None where there is none.

    Administrators are no owners: on an organization's page they see the installation's.
    """
    if not simulator_bridge.enabled():
        return None
    own = place if place.edit else Place(None, place.caller)
    if not own.edit:
        return None
    try:
        endpoint = _find(own.organization)
        if endpoint is None:
            return ReceiverState(own)
        receiver = simulator_bridge.read_receiver(_name(endpoint))
    except ReceiverFailed as error:
        return ReceiverState(own, problem=_failed(error))
    rows = [_row(received) for received in receiver.requests]
    return ReceiverState(own, endpoint, receiver.fails, rows)


def pass_on(created: Created) -> None:
    """Give the receiver its endpoint's new secret, as owners of other receivers do themselves."""
    if simulator_bridge.enabled() and _is_here(created.endpoint):
        simulator_bridge.set_receiver(_name(created.endpoint), secret=created.secret)


def _add(place: Place, caller: Caller) -> None:
    name = secrets.token_hex(12)
    url = f"{simulator_bridge.receivers_url()}/{name}"
    created = endpoints.create(place.organization, NewEndpoint(url), caller.actor)
    simulator_bridge.set_receiver(name, secret=created.secret)


def _find(organization: Organization | None) -> Endpoint | None:
    """Return the endpoint of this place that lies at the simulator. Raises ReceiverFailed."""
    host = urlsplit(simulator_bridge.receivers_url()).netloc
    found = Endpoint.objects.present().filter(organization=organization, host=host)
    return found.order_by("-pk").first()


def _is_here(endpoint: Endpoint) -> bool:
    try:
        return endpoint.host == urlsplit(simulator_bridge.receivers_url()).netloc
    except ReceiverFailed:
        return False


def _name(endpoint: Endpoint) -> str:
    return str(endpoint.url).rpartition("/")[2]


def _row(received: ReceivedRequest) -> ReceivedRequestRow:
    try:
        body: Any = json.loads(received.body)
    except ValueError:
        return ReceivedRequestRow(received, "", received.body)
    kind = body.get("type", "") if isinstance(body, dict) else ""
    return ReceivedRequestRow(received, str(kind), json.dumps(body, ensure_ascii=False, indent=2))


def _place(request: HttpRequest, organization_id: int | None) -> Place:
    """Return where the endpoint belongs. Raises Http404 and PermissionDenied."""
    place = find_place(request, organization_id, Right.SEE)
    if not simulator_bridge.enabled():
        raise Http404
    own = place if place.edit else Place(None, place.caller)
    return own if own.edit else find_place(request, organization_id, Right.EDIT)


def _back(organization_id: int | None, place: Place) -> str:
    """Return the page that the button is on."""
    if organization_id is None or place.organization is not None:
        return place.url("webhooks")
    return Place(Organization(pk=organization_id), place.caller).url("webhooks")


def _failed(error: ReceiverFailed | MessageRefused) -> str:
    if isinstance(error, MessageRefused):
        return error.sentence
    return _("The simulated receiver did not answer: {problem}").format(problem=error)
