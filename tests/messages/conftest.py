"""Conversations of the tests of messages."""

from __future__ import annotations

import pytest

from tests.support.application import Application
from tests.support.messages_api import Chat


@pytest.fixture
def chat(application: Application, organization: int) -> Chat:
    """A conversation that the person has begun."""
    chat = Chat.start(application, organization, name="Ana")
    chat.write("Oi")
    chat.wait_for_event("message.received")
    return chat
