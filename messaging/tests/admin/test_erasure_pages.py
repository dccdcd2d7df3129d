"""Owners export and erase what is stored, on the Settings tab and from a message's page."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from messaging.models import Contact, Message
from messaging.tests.support.rows import ANA, make_message
from organizations import long_responses
from organizations.long_responses import RightEnded
from organizations.models import AuditEntry, Membership, Organization
from organizations.tests.support.adminpages import browser, shown

TEXT = "O segredo é mel"


@pytest.fixture
def message(organization: Organization) -> Message:
    return make_message(organization, TEXT, name="Ana Souza")


def route(name: str, message: Message, *more: object) -> str:
    return reverse(name, args=[message.organization_id, *more])


def test_owner_erases_a_person_by_number_after_a_question(olga: User, message: Message) -> None:
    page = browser(olga)
    asked = page.post(route("person_find", message), {"number": "+55 11 97654-3210"})
    assert asked.status_code == 302
    address = asked["Location"]
    assert address == route("person_erase", message, message.contact_id)
    assert "Erase 1 message with +55 11 97654-3210?" in page.get(address).content.decode()
    message.refresh_from_db()
    assert message.erased_at is None, "nothing happens before the answer"
    done = page.post(address, follow=True).content.decode()
    assert "Everything of this person is erased: 1 message." in done
    message.refresh_from_db()
    assert message.content["text"] == {} and not Contact.objects.filter(number=ANA).exists()
    assert page.get(address).status_code == 404
    detail = shown(olga, route("message", message, message.public_id))
    assert "Ana Souza" not in detail and TEXT not in detail


def test_message_leads_to_the_erasure_of_its_person(olga: User, message: Message) -> None:
    link = route("person_erase", message, message.contact_id)
    address = route("message", message, message.public_id)
    assert link in shown(olga, address)
    browser(olga).post(link)
    assert link not in shown(olga, address)


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        ("", "Write the number."),
        ("12", "Write the whole number"),
        ("+55 11 90000-0000", "Nothing is stored of a person with this number."),
    ],
)
def test_number_that_leads_to_nobody_is_shown_with_the_problem(
    olga: User, message: Message, number: str, problem: str
) -> None:
    answer = browser(olga).post(route("person_find", message), {"number": number})
    assert answer.status_code == 400
    assert problem in answer.content.decode() and number in answer.content.decode()


def test_everything_is_erased_only_with_the_typed_name(olga: User, message: Message) -> None:
    address, page = route("messages_erase", message), browser(olga)
    assert "Erase 1 message, and all people and files?" in page.get(address).content.decode()
    for typed in ("", "acme", "another"):
        assert page.post(address, {"name": typed}).status_code == 400
    assert Contact.objects.filter(number=ANA).exists()
    done = page.post(address, {"name": message.organization.name}, follow=True)
    assert "Everything is erased: 1 message." in done.content.decode()
    assert not Contact.objects.exclude(number="").exists()
    entry = AuditEntry.objects.get(action=AuditEntry.Action.MESSAGES_ERASED)
    assert (entry.user, entry.detail) == (olga, "1")


def test_export_is_a_file_with_an_audit_entry(olga: User, message: Message) -> None:
    answer = browser(olga).post(route("messages_export", message))
    assert answer.status_code == 200 and TEXT in answer.getvalue().decode()
    assert answer["Content-Disposition"].startswith("attachment")
    assert "no-store" in answer["Cache-Control"]
    assert AuditEntry.objects.filter(action=AuditEntry.Action.MESSAGES_EXPORTED).count() == 1


def test_export_is_broken_off_once_its_owner_is_none(
    olga: User, message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_responses, "CHECK_SECONDS", 0.0)
    answer: Any = browser(olga).post(route("messages_export", message))
    chunks = iter(answer.streaming_content)
    next(chunks)
    Membership.objects.filter(user=olga).delete()
    with pytest.raises(RightEnded):
        next(chunks)


def test_others_neither_see_nor_reach_it(
    alice: User, bob: User, charlie: User, root: User, message: Message
) -> None:
    Organization.objects.update(operators_read_messages=True)
    addresses = [
        route("person_erase", message, message.contact_id),
        *(route(name, message) for name in ("person_find", "messages_erase", "messages_export")),
    ]
    data = {"name": message.organization.name, "number": f"+{ANA}"}
    # An administrator who has opened the messages reads them, and no more.
    opened = browser(root)
    opened.post(route("messages_open", message), {"reason": "A customer asked"})
    for page, status in (
        *((browser(user), 403) for user in (alice, bob)),
        (opened, 403),
        (browser(charlie), 404),
    ):
        for address in addresses:
            assert page.post(address, data).status_code == status
        html = page.get(route("message_settings", message)).content.decode()
        assert not any(address in html for address in addresses)
    message.refresh_from_db()
    assert message.erased_at is None
