"""What became of a message's events at webhooks: on its page, in the log, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Q
from django.urls import reverse

from events.models import Event
from messaging.models import Message
from organizations.access import Caller
from webhooks.admin.place import Place
from webhooks.admin.rows import DeliveryRow
from webhooks.models import Delivery, Endpoint

MOST_SHOWN = 50


@dataclass(frozen=True)
class SentEvent(DeliveryRow):
    """A delivery of one of the message's events, with its page."""

    url: str


@dataclass(frozen=True)
class MessageEvents:
    """`events`: how many the log has. `logs`: hosts, and the part of their logs about the message.

    `rows`: the first deliveries, in the order of the log.
    """

    events: int
    logs: list[tuple[str, str]]
    rows: list[SentEvent]

    @property
    def has_more(self) -> bool:
        return len(self.rows) == MOST_SHOWN


def events_of(message: Message, caller: Caller) -> MessageEvents:
    """Return the events of a message, and their deliveries to the endpoints that a caller sees."""
    organization_id = message.organization_id
    sequences = sequences_of(organization_id, message.public_id)
    if not sequences:
        return MessageEvents(0, [], [])
    visible = Q(organization=organization_id)
    if caller.is_superuser:
        visible |= Q(organization=None)
    found = Endpoint.objects.present().filter(visible).select_related("organization")
    endpoints = {endpoint.pk: endpoint for endpoint in found.order_by("pk")}
    deliveries = Delivery.objects.filter(
        endpoint__in=endpoints, organization=organization_id, sequence__in=sequences
    )
    rows = []
    ordered = deliveries.select_related("cursor").order_by("sequence", "endpoint", "pk")
    for delivery in ordered[:MOST_SHOWN]:
        delivery.endpoint = endpoints[delivery.endpoint_id]
        place = Place(delivery.endpoint.organization, caller)
        ids = (delivery.endpoint.public_id, delivery.public_id)
        rows.append(SentEvent(delivery, place.url("webhook_delivery", *ids)))
    about = urlencode({"message": message.public_id})
    logs = [
        (each.host, f"{Place(each.organization, caller).url('webhook', each.public_id)}?{about}")
        for each in endpoints.values()
    ]
    return MessageEvents(len(sequences), logs, rows)


def sequences_of(organization_id: int, message_id: str) -> list[int]:
    """Return the sequences of a message's events in the log, oldest first."""
    events = Event.objects.filter(organization=organization_id, subject=message_id)
    return list(events.order_by("sequence").values_list("sequence", flat=True))


def of_message(place: Place, message_id: str) -> Q:
    """Return the condition for deliveries of a message's events."""
    if place.organization is not None:
        organization_id = place.organization.pk
    else:
        found = Message.objects.filter(public_id=message_id).values_list("organization", flat=True)
        organization_id = found.first() or 0
    return Q(organization=organization_id, sequence__in=sequences_of(organization_id, message_id))


def message_url(delivery: Delivery) -> str:
    """Return the page of the message that a delivery is about, "" if there is none."""
    events = Event.objects.filter(organization=delivery.organization_id, type=delivery.type)
    subject = events.filter(sequence=delivery.sequence).values_list("subject", flat=True).first()
    if not subject or delivery.organization_id is None:
        return ""
    own = Message.objects.filter(organization=delivery.organization_id, public_id=subject)
    return reverse("message", args=[delivery.organization_id, subject]) if own.exists() else ""
