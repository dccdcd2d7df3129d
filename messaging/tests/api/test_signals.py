"""`POST read` and `POST typing`: for senders, about received messages and known people."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from messaging.actions import signals
from messaging.models import Contact, Message
from messaging.tests.support.api import READ, SEND, TO, MessageApi, contact, message
from organizations.models import Organization
from organizations.tests.support.api import error, olivia

__all__ = ["olivia"]


@pytest.fixture
def api(olivia: User, organization: Organization) -> MessageApi:
    return MessageApi(olivia, organization, SEND)


@pytest.fixture
def reader(olivia: User, organization: Organization) -> MessageApi:
    return MessageApi(olivia, organization, READ, SEND)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Contact, bool]]:
    """Return whom typing was shown to."""
    calls: list[tuple[Contact, bool]] = []
    monkeypatch.setattr(signals, "show_typing", lambda *call: calls.append(call))
    return calls


@pytest.mark.parametrize("body", [None, {}, {"played": False}])
def test_received_message_is_marked_as_read(
    api: MessageApi, organization: Organization, body: Any
) -> None:
    received = message(organization)
    response = api("post", f"messages/{received.public_id}/read", body)
    assert (response.status_code, response.json()) == (200, {"success": True})
    received.refresh_from_db()
    assert received.read_at is not None and received.played_at is None


def test_voice_message_is_marked_as_played(api: MessageApi, organization: Organization) -> None:
    received = message(organization)
    api("post", f"messages/{received.public_id}/read", {"played": True})
    received.refresh_from_db()
    assert received.played_at is not None


def test_own_message_is_not_marked(api: MessageApi, organization: Organization) -> None:
    sent = message(organization, direction=Message.Direction.OUT)
    refused = error(api("post", f"messages/{sent.public_id}/read"))
    assert refused[:2] == (400, "not_received")


def test_typing_is_shown_to_a_known_person(
    reader: MessageApi, organization: Organization, shown: list[Any]
) -> None:
    person = contact(organization, "551187654321", lid="77")
    assert reader("post", "typing", {"to": TO}).json() == {"success": True}
    assert reader("post", "typing", {"to": "77@lid", "typing": False}).status_code == 200
    assert shown == [(person, True), (person, False)]


def test_sender_who_does_not_read_types_only_to_those_who_were_written_to(
    api: MessageApi, organization: Organization, shown: list[Any]
) -> None:
    unknown = error(api("post", "typing", {"to": TO}))
    person = message(organization).contact
    assert unknown[:2] == (400, "unknown_contact")
    assert error(api("post", "typing", {"to": TO})) == unknown and shown == []
    message(organization, direction=Message.Direction.OUT)
    assert api("post", "typing", {"to": TO}).status_code == 200
    assert shown == [(person, True)]


def test_typing_to_a_stranger_is_refused(
    reader: MessageApi, api: MessageApi, other_organization: Organization, shown: list[Any]
) -> None:
    message(other_organization, direction=Message.Direction.OUT)
    for caller in (reader, api):
        assert error(caller("post", "typing", {"to": TO}))[:2] == (400, "unknown_contact")
    assert error(api("post", "typing", {"to": "1@g.us"}))[:2] == (400, "invalid")
    assert error(api("post", "typing", {"to": TO, "typing": "yes"}))[:2] == (400, "invalid")
    assert shown == [] and Contact.objects.count() == 1


def test_readers_show_nothing(olivia: User, organization: Organization, shown: list[Any]) -> None:
    reader, received = MessageApi(olivia, organization, READ), message(organization)
    for path, body in (("typing", {"to": TO}), (f"messages/{received.public_id}/read", None)):
        assert error(reader("post", path, body))[:2] == (403, "permission_denied")
    received.refresh_from_db()
    assert received.read_at is None and shown == []
