"""After a restore nothing leaves by itself that had not left when the backup was made."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from messaging.actions import maintenance, unsent
from messaging.actions.restored import HOLD_WAITING
from messaging.models import Message
from messaging.tests.support.api import message
from messaging.tests.support.linked import Linked, age, reread
from organizations.models import Organization

pytestmark = pytest.mark.django_db

State = Message.State


def restore() -> int:
    """Do what a restore does, and return how many messages are held."""
    with connection.cursor() as cursor:
        for statement in HOLD_WAITING:
            cursor.execute(statement)
        return int(cursor.rowcount)


def test_waiting_messages_are_held_and_interrupted_ones_unknown(organization: Organization) -> None:
    states = (State.QUEUED, State.SENDING, State.HELD, State.SENT, State.RECEIVED)
    for state in states:
        message(organization, state=state)
    assert restore() == 1
    found = list(Message.objects.order_by("pk").values_list("state", "reason"))
    assert found == [
        *[("held", "restored"), ("unknown", "host_gone")],
        *[("held", ""), ("sent", ""), ("received", "")],
    ]
    assert Message.objects.get(state=State.UNKNOWN).ended_at is not None
    assert unsent.release(organization.pk) == 2
    assert Message.objects.filter(state=State.QUEUED, reason="").count() == 2


def held(linked: Linked) -> Message:
    """Return a message of yesterday's backup that was just restored."""
    queued = linked.enqueue()
    age(queued, minutes=600, expires_at=timezone.now() - timedelta(hours=9))
    assert restore() == 1
    return queued


def test_restored_message_does_not_expire(linked: Linked) -> None:
    restored = held(linked)
    assert maintenance.maintain() is None
    assert reread(restored).state == State.HELD


@pytest.mark.parametrize("decision", ["drop", "cancel"])
def test_restored_message_that_is_dropped_is_not_told_as_never_sent(
    linked: Linked, decision: str
) -> None:
    restored = held(linked)
    if decision == "drop":
        assert unsent.drop(linked.pk) == 1
    else:
        unsent.cancel(linked.pk, restored.pk)
    assert linked.states(restored) == [("unknown", "not_sent_again")]
    assert linked.take() is None


def test_restored_message_that_is_released_is_not_told_as_never_sent(linked: Linked) -> None:
    restored = held(linked)
    assert unsent.release(linked.pk) == 1
    age(restored, minutes=600, expires_at=timezone.now() - timedelta(minutes=1))
    maintenance.maintain()
    assert linked.states(restored) == [("queued", None), ("unknown", "resent")]
