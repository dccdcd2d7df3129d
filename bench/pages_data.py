"""The data of the pages that `bench.pages` measures; `manage.py shell` imports it."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from connections.lifecycle import Reason, State
from connections.models import Connection
from messaging.models import Contact, Message
from organizations.models import Organization
from webhooks.models import Cursor, Delivery, Endpoint

ORGANIZATIONS, MESSAGES, DELIVERIES = 300, 120, 120
# One in so many needs a person; none needs a worker, so that nothing changes meanwhile.
NEEDING = 5


def fill(organization: int) -> str:
    """Make the organizations, and rows of one of them. Returns the public id of its webhook."""
    _organizations(organization)
    _messages(organization)
    return _webhook(organization)


def _organizations(organization: int) -> None:
    names = (f"Padaria Estrela {number}" for number in range(ORGANIZATIONS))
    known = Organization.objects.count()
    rows = [Organization(name=name, folded_name=name.lower()) for name in names]
    Organization.objects.bulk_create(rows[known:])
    Connection.objects.create_missing(Organization.objects.all())
    for number, row in enumerate(Connection.objects.exclude(pk=organization)):
        row.state, row.reason = State.DISCONNECTED, Reason.DISCONNECTED
        if number % NEEDING == 0:
            row.state, row.reason = State.ACTION_NEEDED, Reason.LOGGED_OUT_BY_PHONE
        row.since = timezone.now() - timedelta(minutes=7 * number)
        row.last_number = f"55119{80_000_000 + number}"
        row.save()


def _messages(organization: int) -> None:
    contact = Contact.objects.create(organization_id=organization, number="5511976540001")
    for number in range(MESSAGES):
        at = timezone.now() - timedelta(minutes=number)
        Message.objects.create(
            organization_id=organization,
            contact=contact,
            direction=("in", "out")[number % 2],
            type="text",
            content={"text": {"body": "Bom dia! O pedido 1042 já saiu?"}},
            state=("received", "read")[number % 2],
            whatsapp_id=f"W{number}",
            created_at=at,
            happened_at=at,
        )


def _webhook(organization: int) -> str:
    endpoint = Endpoint.objects.create(
        organization_id=organization,
        url="https://crm.example/hooks",
        host="crm.example",
        secret="whsec_x",
        made_by="bench",
        state=Endpoint.State.PAUSED,
    )
    cursor = Cursor.objects.create(
        endpoint=endpoint,
        organization_id=organization,
        position=1000,
        due_at=timezone.now() + timedelta(days=1),
    )
    for number in range(DELIVERIES):
        at = timezone.now() - timedelta(minutes=number)
        Delivery.objects.create(
            endpoint=endpoint,
            organization_id=organization,
            cursor=cursor,
            sequence=number,
            type="message.received",
            event_at=at,
            state=Delivery.State.DELIVERED,
            tries=1,
            status=200,
            milliseconds=120,
            created_at=at,
            ended_at=at,
        )
    return endpoint.public_id
