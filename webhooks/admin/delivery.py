"""The page of one delivery: the request, what came back, and each attempt."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from events.models import Event
from messaging.admin.rights import rights_of
from messaging.refusals import MessageRefused
from organizations.admin.base import caller_of
from organizations.admin.pages import READ, page_view
from webhooks.actions import repeats
from webhooks.actions.loading import test_event
from webhooks.admin.message_events import message_url
from webhooks.admin.page import render
from webhooks.admin.place import Place, find_endpoint
from webhooks.admin.rows import DeliveryRow
from webhooks.formats import FORMATS, OutgoingRequest
from webhooks.models import Attempt, Cursor, Delivery, Endpoint
from webhooks.rights import Right
from webhooks.sentences import failure_sentence


@dataclass(frozen=True)
class AttemptRow:
    """One attempt with its texts. `answer`: "" for those who may not read it."""

    attempt: Attempt
    answer: str

    @property
    def tone(self) -> str:
        return "bad" if self.attempt.failure else "good"

    @property
    def why(self) -> str:
        return failure_sentence(self.attempt.failure, self.attempt.status)


@dataclass(frozen=True)
class SentRequest:
    """A request as text. `headers` and `curl` are empty for those who may not see the address."""

    body: str
    headers: list[tuple[str, str]]
    curl: str


@page_view(*READ)
def delivery_view(
    request: HttpRequest, webhook_id: str, delivery_id: str, organization_id: int | None = None
) -> HttpResponse:
    """GET: one delivery. What was sent and answered only for those who may read texts."""
    place, endpoint = find_endpoint(request, organization_id, webhook_id, Right.SEE)
    delivery = _find(endpoint, delivery_id)
    texts = _may_read(request, delivery)
    attempts = delivery.attempts.order_by("number")
    if not texts:
        attempts = attempts.defer("answer")
    found = [AttemptRow(each, (each.answer or "") if texts else "") for each in attempts]
    event = _event(delivery) if texts else None
    context = {
        "endpoint": endpoint,
        "delivery": delivery,
        "row": DeliveryRow(delivery),
        "attempts": found,
        "requests": _requests(place, delivery, event, found) if event else [],
        "texts": texts,
        "erased": texts and event is None,
        "message_url": message_url(delivery),
        "repetitions": delivery.repetitions.only("public_id", "state").order_by("pk"),
        "may_resend": place.repeat
        and delivery.state in repeats.ENDED_STATES
        and delivery.cursor.kind != Cursor.Kind.TEST,
    }
    return render(request, place, "webhooks/delivery/page.html", context)


@page_view("POST")
def resend_view(
    request: HttpRequest, webhook_id: str, delivery_id: str, organization_id: int | None = None
) -> HttpResponse:
    """POST: send an event once more, as a new delivery with the same id."""
    place, endpoint = find_endpoint(request, organization_id, webhook_id, Right.REPEAT)
    delivery = _find(endpoint, delivery_id)
    try:
        new = repeats.resend(delivery, caller_of(request).actor)
    except MessageRefused as refused:
        messages.error(request, refused.sentence)
        return redirect(place.url("webhook_delivery", webhook_id, delivery_id))
    messages.success(request, _("It leaves once more, with the same id."))
    return redirect(place.url("webhook_delivery", webhook_id, new.public_id))


def _find(endpoint: Endpoint, delivery_id: str) -> Delivery:
    """Return a delivery of an endpoint. Raises Http404."""
    rows = Delivery.objects.filter(endpoint=endpoint, public_id=delivery_id)
    delivery = rows.select_related("cursor", "original", "organization").first()
    if delivery is None:
        raise Http404
    delivery.endpoint = endpoint
    return delivery


def _may_read(request: HttpRequest, delivery: Delivery) -> bool:
    """Return whether the person may read what was sent; a test carries nobody's texts.

    An administrator opens an organization's messages for a reason, also those that went to an
    endpoint of the installation.
    """
    return delivery.organization is None or rights_of(request, delivery.organization).texts


def _event(delivery: Delivery) -> Event | None:
    """Return the event as it is in the log now, None when it was deleted."""
    if delivery.cursor.kind == Cursor.Kind.TEST:
        return test_event(delivery)
    rows = Event.objects.filter(organization=delivery.organization_id, type=delivery.type)
    return rows.filter(sequence=delivery.sequence).first()


def _requests(
    place: Place, delivery: Delivery, event: Event, attempts: list[AttemptRow]
) -> list[SentRequest]:
    """Return what is sent of an event, with the signature of the last attempt's time."""
    form = FORMATS[delivery.endpoint.format]
    at = attempts[-1].attempt.at if attempts else timezone.now()
    found = []
    for request in form.requests(event, delivery.endpoint):
        headers: dict[str, str] = {}
        if place.edit:
            signed = form.sign(request, delivery.endpoint, delivery.webhook_id, at)
            headers = {**request.headers, **signed}
        curl = _curl(delivery.endpoint.url, headers, request) if place.edit else ""
        found.append(SentRequest(_pretty(request.body), list(headers.items()), curl))
    return found


def _pretty(body: bytes) -> str:
    return json.dumps(json.loads(body), ensure_ascii=False, indent=2)


def _curl(url: str, headers: dict[str, str], request: OutgoingRequest) -> str:
    """Return a command line that sends the same bytes."""
    parts = ["curl", "--request", "POST", url]
    for name, value in headers.items():
        parts += ["--header", f"{name}: {value}"]
    parts += ["--data-binary", request.body.decode()]
    return shlex.join(parts)
