"""A token and a person have a limit of messages, and a refused one changes nothing."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from messaging.actions import outgoing
from messaging.actions.contacts import Address
from messaging.actions.outgoing import NewMessage
from messaging.models import Message
from messaging.refusals import TooManyForToken, TooManyToRecipient
from messaging.tests.support.linked import ANA, BEA, Linked
from organizations import actions
from organizations.access import Actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor(linked: Linked) -> Actor:
    """Software with a token of the organization's own."""
    maker = User.objects.create_superuser("maker")
    token, _ = actions.create_token(
        maker, "shop", Actor("maker", maker), organization=linked.organization
    )
    return Actor("API token shop", None, token)


def send(linked: Linked, actor: Actor, to: str) -> Message:
    new = NewMessage(Address(to), "text", {"body": "Olá"})
    return outgoing.enqueue(linked.pk, new, actor)


def test_token_has_a_limit_within_a_minute(
    linked: Linked, actor: Actor, settings: Settings
) -> None:
    settings.MESSAGES_PER_TOKEN = 2
    send(linked, actor, ANA)
    send(linked, actor, BEA)
    with pytest.raises(TooManyForToken) as refused:
        send(linked, actor, ANA)
    assert 55 <= (refused.value.retry_after or 0) <= 60
    assert linked.enqueue(BEA).pk, "others go on"
    Message.objects.filter(token__isnull=False).update(
        created_at=timezone.now() - timedelta(minutes=2)
    )
    assert send(linked, actor, ANA).pk


@pytest.mark.parametrize(
    ("name", "passed"),
    [
        ("MESSAGES_PER_RECIPIENT", timedelta(minutes=1)),
        ("MESSAGES_PER_RECIPIENT_A_DAY", timedelta(days=1)),
    ],
)
def test_person_has_a_limit(
    linked: Linked, settings: Settings, name: str, passed: timedelta
) -> None:
    setattr(settings, name, 1)
    first = linked.enqueue(ANA)
    before = len(linked.messages())
    with pytest.raises(TooManyToRecipient):
        linked.enqueue(ANA)
    assert len(linked.messages()) == before
    assert linked.enqueue(BEA).pk
    Message.objects.filter(pk=first.pk).update(created_at=timezone.now() - passed)
    assert linked.enqueue(ANA).pk
