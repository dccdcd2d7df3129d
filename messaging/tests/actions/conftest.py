"""A linked organization, and sending without pauses."""

import pytest
from pytest_django import Settings

from messaging.models import Message
from messaging.tests.support.linked import Linked
from organizations.models import Organization


@pytest.fixture(autouse=True)
def unpaced(settings: Settings) -> None:
    """Let messages leave at once; tests of pacing set the limits that they need."""
    settings.MESSAGE_GAP_SECONDS = settings.NEW_RECIPIENT_GAP_SECONDS = 0
    settings.MESSAGES_PER_MINUTE = settings.NEW_RECIPIENTS_PER_DAY = 0


@pytest.fixture
def linked(db: None) -> Linked:
    return Linked(Organization.objects.create(name="Padaria"))


@pytest.fixture
def other(db: None) -> Linked:
    return Linked(Organization.objects.create(name="Farmácia"))


@pytest.fixture
def sending(linked: Linked) -> Message:
    """Return a message that is being sent."""
    linked.enqueue()
    taken = linked.take()
    assert taken is not None
    return taken
