"""Why a queued message has not left yet."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from connections.models import Connection
from messaging.actions import outcomes
from messaging.models import Message, MessagingSettings, Outbox
from messaging.queue_reasons import WaitingReasons
from messaging.tests.support.linked import ANA, BEA, Linked
from messaging.tests.support.records import message as record

pytestmark = pytest.mark.django_db


@pytest.fixture
def queued(linked: Linked) -> Message:
    """A first message of a connected organization."""
    Connection.objects.filter(pk=linked.pk).update(desired="connected", state="connected")
    return linked.enqueue()


def reason(message: Message) -> str:
    found = Message.objects.select_related("contact").get(pk=message.pk)
    return WaitingReasons(message.organization_id).reason_of(found)


def test_message_of_a_connected_organization_waits_for_its_turn(queued: Message) -> None:
    assert reason(queued) == "its_turn"


def test_message_waits_for_a_phone(queued: Message) -> None:
    Connection.objects.update(store_name="")
    assert reason(queued) == "not_linked"


def test_message_waits_for_the_connection(queued: Message) -> None:
    Connection.objects.update(state="reconnecting")
    assert reason(queued) == "not_connected"


def test_message_waits_while_sending_is_stopped(queued: Message) -> None:
    MessagingSettings.objects.create(
        organization=queued.organization, sending_stopped_at=timezone.now()
    )
    assert reason(queued) == "sending_stopped"


def test_first_message_waits_while_only_answers_may_leave(linked: Linked, queued: Message) -> None:
    Outbox.objects.update(replies_only_until=timezone.now() + timedelta(hours=1))
    assert reason(queued) == "replies_only"
    linked.store(record(BEA))
    assert reason(linked.enqueue(BEA)) == "its_turn"


def test_first_message_waits_when_the_day_is_full(
    linked: Linked, queued: Message, settings: Settings
) -> None:
    settings.NEW_RECIPIENTS_PER_DAY = 1
    linked.send_next()
    assert reason(linked.enqueue(BEA)) == "day_full"
    assert reason(linked.enqueue(ANA)) == "its_turn"


def test_message_that_never_left_says_so_until_the_next_try(
    linked: Linked, queued: Message
) -> None:
    taken = linked.take()
    assert taken is not None
    outcomes.requeue(taken, "not_sent_yet")
    assert reason(queued) == "not_sent_yet"


def test_message_that_is_not_queued_has_its_own_reason(linked: Linked, queued: Message) -> None:
    taken = linked.take()
    assert taken is not None
    assert reason(linked.record(taken, error="not_on_whatsapp")) == "not_on_whatsapp"
