"""The history that the pages are measured with: of all organizations, over a year, in order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Count, Max, Min
from django.utils import timezone

from bench import history_data
from connections.models import Connection, ConnectionEvent
from events.models import Event, EventCounter
from messaging.models import Contact, Message
from organizations.models import Organization

pytestmark = pytest.mark.django_db


def indexes() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'index'")
        return {name for (name,) in cursor.fetchall()}


def test_history_is_spread_over_organizations_and_a_year() -> None:
    before = indexes()
    history_data.fill(3, 60)
    for model, owner in ((Message, "organization"), (Event, "organization")):
        counts = model.objects.order_by().values_list(owner).annotate(Count("pk"))
        assert [count for _, count in counts] == [20, 20, 20]
    assert ConnectionEvent.objects.count() == 60
    ends = Message.objects.aggregate(first=Min("created_at"), last=Max("created_at"))
    assert timedelta(days=350) < ends["last"] - ends["first"] < timedelta(days=366)
    assert timezone.now() - ends["last"] < timedelta(days=7)
    in_order = Message.objects.order_by("created_at").values_list("pk", flat=True)
    assert list(in_order) == list(range(1, 61))
    assert indexes() == before


def test_rows_of_the_history_belong_together() -> None:
    history_data.fill(3, 60)
    for message in Message.objects.select_related("contact"):
        assert message.contact.organization_id == message.organization_id
        assert message.content == {"text": {"body": "Bom dia! O pedido 1042 já saiu?"}}
    for organization in Organization.objects.all():
        events = Event.objects.filter(organization=organization).order_by("sequence")
        assert [event.sequence for event in events] == list(range(1, 21))
        assert EventCounter.objects.get(organization=organization).last == 20
    states = (
        ConnectionEvent.objects.filter(connection=Organization.objects.earliest("pk").pk)
        .order_by("at")
        .values_list("state")
    )
    assert list(states[:2]) == [("reconnecting",), ("connected",)]


def test_empty_installation_has_the_organizations_alone() -> None:
    history_data.fill(3, 0)
    assert Connection.objects.count() == 3
    assert Contact.objects.count() == 3 * history_data.CONTACTS
    assert not (Message.objects.exists() or Event.objects.exists())
    assert not ConnectionEvent.objects.exists()
