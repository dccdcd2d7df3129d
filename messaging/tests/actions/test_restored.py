"""After a restore nothing leaves by itself that had not left when the backup was made."""

from __future__ import annotations

import pytest
from django.db import connection

from messaging.actions import outgoing
from messaging.actions.restored import HOLD_WAITING
from messaging.models import Message
from messaging.tests.support.api import message
from organizations.models import Organization

pytestmark = pytest.mark.django_db

State = Message.State


def test_waiting_messages_are_held_and_interrupted_ones_unknown(organization: Organization) -> None:
    states = (State.QUEUED, State.SENDING, State.HELD, State.SENT, State.RECEIVED)
    for state in states:
        message(organization, state=state)
    with connection.cursor() as cursor:
        for statement in HOLD_WAITING:
            cursor.execute(statement)
        assert cursor.rowcount == 1
    found = list(Message.objects.order_by("pk").values_list("state", "reason"))
    assert found == [
        *[("held", "restored"), ("unknown", "host_gone")],
        *[("held", ""), ("sent", ""), ("received", "")],
    ]
    assert Message.objects.get(state=State.UNKNOWN).ended_at is not None
    assert outgoing.release(organization.pk) == 2
    assert Message.objects.filter(state=State.QUEUED, reason="").count() == 2
