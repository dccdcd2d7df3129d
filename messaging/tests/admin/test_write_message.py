"""The form that sends one text, and what can be done with a message afterwards."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from messaging.models import Message, MessagingSettings
from messaging.tests.support.rows import make_message
from organizations.models import Organization
from organizations.tests.support.adminpages import browser

State = Message.State


def send(client: Client, organization: Organization, json: bool = True, **data: Any) -> Any:
    address = reverse("messages_send", args=[organization.pk])
    accept = "application/json" if json else "text/html"
    return client.post(address, data, headers={"Accept": accept})


def test_text_is_queued_with_its_writer(olga: User, organization: Organization) -> None:
    answer = send(
        browser(olga), organization, number="0055 (11) 98765-4321", text="Olá\r\nAna", key="k1"
    )
    assert answer.status_code == 200 and answer.json()["success"]
    message = Message.objects.get()
    assert (message.state, message.contact.number) == (State.QUEUED, "5511987654321")
    assert message.content["text"] == {"body": "Olá\nAna"}
    assert (message.actor, message.user) == ("olga", olga)


def test_preview_is_asked_for_by_its_box(olga: User, organization: Organization) -> None:
    asked: dict[str, Any] = {
        "number": "+5511987654321",
        "text": "https://a.example/",
        "preview": "on",
    }
    assert send(browser(olga), organization, **asked).status_code == 200
    text = {"body": "https://a.example/", "preview_url": True}
    assert Message.objects.get().content["text"] == text
    page = send(browser(olga), organization, json=False, **asked | {"number": ""})
    assert 'name="preview" checked' in page.content.decode()


def test_same_form_sent_twice_sends_once(olga: User, organization: Organization) -> None:
    client = browser(olga)
    for _ in range(2):
        assert send(client, organization, number="+5511987654321", text="Olá", key="k1").json()[
            "success"
        ]
    assert Message.objects.count() == 1
    other = send(client, organization, number="+5511987654321", text="Oi", key="k1")
    assert other.status_code == 400
    assert "Your earlier message was sent." in other.json()["problems"]["__all__"]
    asked: dict[str, Any] = {"number": "+5511987654321", "text": "Oi"}
    page = send(client, organization, json=False, **asked, key="k1").content.decode()
    (key,) = re.findall(r'name="key" value="(\w+)"', page)
    assert 'value="+5511987654321"' in page and ">Oi</textarea>" in page
    for new in (key, other.json()["key"]):
        assert send(client, organization, **asked, key=new).json()["success"]
    assert Message.objects.count() == 3


@pytest.mark.parametrize(
    ("data", "field", "problem"),
    [
        ({"number": "", "text": "Olá"}, "number", "To whom?"),
        ({"number": "12", "text": "Olá"}, "number", "Write the whole number"),
        ({"number": "call me", "text": "Olá"}, "number", "does not belong in a phone number"),
        ({"number": "+5511987654321", "text": " \n "}, "text", "There is nothing to send"),
        ({"number": "+5511987654321", "text": "x" * 4097}, "text", "4097 characters"),
    ],
)
def test_wrong_input_is_refused_at_its_field(
    olga: User, organization: Organization, data: dict[str, Any], field: str, problem: str
) -> None:
    answer = send(browser(olga), organization, **data)
    assert answer.status_code == 400
    assert problem in answer.json()["problems"][field]
    plain = send(browser(olga), organization, json=False, **data)
    assert plain.status_code == 400
    assert problem in plain.content.decode()
    assert not Message.objects.exists()


def test_stopped_sending_is_refused_in_words(olga: User, organization: Organization) -> None:
    MessagingSettings.objects.create(organization=organization, sending_stopped_at=timezone.now())
    answer = send(browser(olga), organization, number="+5511987654321", text="Olá")
    assert answer.status_code == 400
    assert "Sending is stopped" in answer.json()["problems"]["__all__"]


@pytest.mark.parametrize("user", ["alice", "bob"])
def test_without_the_right_nothing_is_sent(
    user: str, organization: Organization, request: pytest.FixtureRequest
) -> None:
    client = browser(request.getfixturevalue(user))
    assert send(client, organization, number="+5511987654321", text="Olá").status_code == 403
    assert (
        "data-write" not in client.get(reverse("messages", args=[organization.pk])).content.decode()
    )


def again(client: Client, message: Message) -> Any:
    address = reverse("message_again", args=[message.organization_id, message.public_id])
    return client.post(address, follow=True)


@pytest.mark.parametrize("state", [State.FAILED, State.UNKNOWN, State.EXPIRED, State.CANCELLED])
def test_message_that_did_not_go_out_is_sent_again_as_a_new_one(
    olga: User, organization: Organization, state: str
) -> None:
    message = make_message(organization, "Outra vez", state=state)
    html = again(browser(olga), message).content.decode()
    assert "The message is in the queue once more." in html
    new = Message.objects.exclude(pk=message.pk).get()
    assert (new.state, new.content["text"]) == (State.QUEUED, {"body": "Outra vez"})
    message.refresh_from_db()
    assert message.state == state


@pytest.mark.parametrize("state", [State.QUEUED, State.SENT, State.READ, State.RECEIVED])
def test_other_messages_are_not_sent_again(
    olga: User, organization: Organization, state: str
) -> None:
    message = make_message(organization, state=state)
    again(browser(olga), message)
    assert Message.objects.count() == 1


def test_queued_message_is_discarded_and_a_sent_one_not(
    olga: User, organization: Organization
) -> None:
    queued, sent = (make_message(organization, state=each) for each in (State.QUEUED, State.SENT))
    for message in (queued, sent):
        address = reverse("message_discard", args=[organization.pk, message.public_id])
        browser(olga).post(address)
        message.refresh_from_db()
    assert (queued.state, sent.state) == (State.CANCELLED, State.SENT)
