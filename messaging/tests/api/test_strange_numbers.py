"""A person whose number is not valid is answered, found and erased by what the API tells of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from messaging.actions import incoming, signals
from messaging.models import Contact, Message
from messaging.tests.support.api import READ, SEND, MessageApi
from messaging.tests.support.records import message as record
from organizations.models import Organization
from organizations.phone_numbers import INVALID
from organizations.tests.support.api import error, olivia

__all__ = ["olivia"]

NUMBER = "15550783881"
SPELLINGS = [f"+{NUMBER}", NUMBER, f"00{NUMBER}"]


@pytest.fixture
def person(organization: Organization) -> Contact:
    """Return somebody who has written."""
    incoming.store([(organization.pk, [record(NUMBER)])])
    return Contact.objects.get()


@pytest.fixture
def api(olivia: User, organization: Organization) -> MessageApi:
    return MessageApi(olivia, organization, READ, SEND)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_person_is_answered_and_shown_typing(
    api: MessageApi, person: Contact, spelling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(signals, "show_typing", lambda *call: shown.append(call))
    (received,) = api("get", "messages").json()["results"]
    assert received["contact"]["phone"] == SPELLINGS[0]
    assert api.send(to=spelling).status_code == 202
    assert Message.objects.filter(contact=person).count() == 2
    assert api("post", "typing", {"to": spelling}).status_code == 200
    assert shown == [(person, True)]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_person_is_found_and_erased(api: MessageApi, person: Contact, spelling: str) -> None:
    found = api("get", f"messages?contact={spelling}").json()["results"]
    assert [row["direction"] for row in found] == ["in"]
    assert api("post", "contacts/erase", {"contact": spelling}).json()["count"] == 1
    assert not Contact.objects.filter(number=NUMBER).exists()


def test_unknown_person_with_such_a_number_is_refused(
    api: MessageApi, organization: Organization, other_organization: Organization
) -> None:
    incoming.store([(other_organization.pk, [record(NUMBER)])])
    assert error(api.send(to=NUMBER)) == (400, "invalid", f"to: {INVALID}")
    assert error(api("get", f"messages?contact={NUMBER}"))[:2] == (400, "invalid")
    assert not Contact.objects.filter(organization=organization).exists()


def test_sender_who_does_not_read_writes_to_those_who_were_written_to(
    olivia: User, organization: Organization, person: Contact, api: MessageApi
) -> None:
    sender = MessageApi(olivia, organization, SEND)
    assert error(sender.send(to=NUMBER)) == (400, "invalid", f"to: {INVALID}")
    assert api.send(to=NUMBER).status_code == 202
    assert sender.send(to=NUMBER).status_code == 202
