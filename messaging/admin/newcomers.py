"""The newcomer's card on the fleet page, with WHATSAPP_SERVER=simulator only.

It leads once around: a phone is linked, a customer writes, and gets an answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from connections import simulator_bridge
from connections.models import Connection
from messaging.actions.newcomers import put_card_away
from messaging.models import ARRIVED_STATES, Contact, Message, PutAwayCard
from organizations.access import Caller, Permission
from organizations.admin.base import caller_of
from organizations.models import Membership, Organization

State, Direction, Role = Message.State, Message.Direction, Membership.Role


@dataclass(frozen=True)
class Step:
    """What a newcomer does, where, and whether it was done."""

    name: str
    url: str
    done: bool


@dataclass(frozen=True)
class Card:
    """The steps in an organization. `next`: the number of the first step that is not done.

    `webhooks`: where events can be caught, "" for those who may not.
    """

    organization: Organization
    steps: list[Step]
    next: int
    webhooks: str


def card_of(caller: Caller) -> Card | None:
    """Return the card, None for those who cannot take the steps, are done, or put it away."""
    if not simulator_bridge.enabled() or not isinstance(caller.user, User):
        return None
    if PutAwayCard.objects.filter(user=caller.user).exists():
        return None
    usable = _usable(caller)
    linked = Connection.objects.filter(organization=OuterRef("pk")).exclude(number="")
    organization = usable.order_by(Exists(linked).desc(), "pk").first()
    if organization is None or not caller.may(Permission.SEND_MESSAGES, organization):
        return None
    steps = list(_steps(usable, organization))
    undone = [number for number, step in enumerate(steps, start=1) if not step.done]
    if not undone:
        return None
    catches = caller.is_superuser or caller.may(Permission.MANAGE, organization)
    webhooks = reverse("webhooks", args=[organization.pk]) + "#catch-title" if catches else ""
    return Card(organization, steps, undone[0], webhooks)


def put_away_view(request: HttpRequest) -> HttpResponse:
    """POST: do not show the card any more. 404 without the simulator."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not simulator_bridge.enabled():
        raise Http404
    put_card_away(caller_of(request).require_token_owner())
    return redirect("fleet")


def _usable(caller: Caller) -> QuerySet[Organization]:
    """Return the active organizations in which the person links phones and sends messages."""
    active = caller.organizations.filter(deactivated_at=None)
    if caller.is_superuser:
        return active
    own = Membership.objects.filter(user=caller.user.pk, organization=OuterRef("pk"))
    sends = own.filter(
        Q(role=Role.OWNER) | Q(role=Role.OPERATOR, organization__operators_read_messages=True)
    )
    return active.filter(Exists(sends))


def _steps(usable: QuerySet[Organization], organization: Organization) -> Iterator[Step]:
    """Return the steps, each done if it was done in any of the usable organizations."""
    connections = Connection.objects.filter(organization__in=usable)
    incoming = Message.objects.filter(organization__in=usable, direction=Direction.IN)
    # From the people to the messages, whose index begins with the person: the other way round,
    # a year of messages to people who never wrote would be read.
    writers = Contact.objects.filter(organization__in=usable, last_received_at__isnull=False)
    answers = Message.objects.filter(contact=OuterRef("pk"), direction=Direction.OUT)
    answered = writers.filter(Exists(answers)).exists()
    seen = answered and writers.filter(Exists(answers.filter(state__in=ARRIVED_STATES))).exists()
    log = reverse("messages", args=[organization.pk])
    connection = reverse("admin:connections_connection_change", args=[organization.pk])
    yield Step(_("Link a phone"), connection, connections.exclude(number="").exists())
    yield Step(_("Write as a customer"), f"{log}#customer-text", incoming.exists())
    yield Step(_("See it arrive"), log, incoming.exclude(state=State.LOST).exists())
    yield Step(pgettext("newcomer", "Answer"), f"{log}#customer-answer", answered)
    yield Step(_("See it on the phone"), f"{log}#customer-talk", seen)
