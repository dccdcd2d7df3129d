"""Reading messages, and deciding about those that wait: lists, states, cancelling, resending."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from events.models import Event
from messaging.models import Message
from messaging.tests.support.api import NUMBER, READ, SEND, TO, MessageApi, contact, message
from organizations.models import AuditEntry, Organization
from organizations.tests.support.api import error, olivia

__all__ = ["olivia"]

State, Direction = Message.State, Message.Direction
NO_MESSAGE = (404, "not_found", "There is no such message.")
NOBODY = "a" * 22


@pytest.fixture
def reader(olivia: User, organization: Organization) -> MessageApi:
    return MessageApi(olivia, organization, READ)


@pytest.fixture
def sender(olivia: User, organization: Organization) -> MessageApi:
    return MessageApi(olivia, organization, SEND)


def ids(api: MessageApi, query: str = "") -> list[str]:
    return [row["id"] for row in api("get", f"messages{query}").json()["results"]]


def outgoing(organization: Organization, state: str = State.QUEUED, **fields: Any) -> Message:
    defaults = {"direction": Direction.OUT, "whatsapp_id": ""}
    return message(organization, state=state, **(defaults | fields))


# --- Reading ------------------------------------------------------------------------------------


def test_reader_sees_the_text_and_the_person(
    reader: MessageApi, organization: Organization
) -> None:
    person = contact(
        organization, lid="128462923874512", name="Ana", last_received_at=timezone.now()
    )
    stored = message(organization, contact=person)
    found = reader("get", f"messages/{stored.public_id}").json()
    assert (found["text"], found["context"], found["media"]) == ({"body": "Bom dia"}, None, None)
    assert found["contact"] == {
        "phone": TO,
        "lid": "128462923874512",
        "waId": NUMBER,
        "name": "Ana",
    }
    assert [found] == [
        {"success": True, **row} for row in reader("get", "messages").json()["results"]
    ]


def test_sender_sees_states_and_no_text_nor_who_wrote(
    sender: MessageApi, organization: Organization
) -> None:
    person = contact(organization, lid="128462923874512", name="Ana")
    stored = message(organization, contact=person)
    for answer in (sender("get", "messages"), sender("get", f"messages/{stored.public_id}")):
        page = answer.content.decode()
        assert State.RECEIVED in page and "…4321" in page
        for hidden in ("Bom dia", "Ana", "128462923874512", "98765"):
            assert hidden not in page


def test_sender_cannot_find_out_who_wrote(
    sender: MessageApi, reader: MessageApi, organization: Organization
) -> None:
    ana, eva = contact(organization, NUMBER, lid="77"), contact(organization, "551133334444")
    received = message(organization, contact=ana).public_id
    message(organization, contact=ana, direction=Direction.ELSEWHERE)
    sent = outgoing(organization, State.SENT, contact=eva).public_id
    for asked in (f"%2B{NUMBER}", "77@lid"):
        assert ids(sender, f"?contact={asked}") == [] != ids(reader, f"?contact={asked}")
    assert ids(sender, "?contact=%2B551133334444") == [sent]
    assert received in ids(sender)


def test_sender_sees_whom_a_message_went_to(sender: MessageApi, organization: Organization) -> None:
    sent = outgoing(organization, State.SENT)
    assert sender("get", f"messages/{sent.public_id}").json()["contact"]["phone"] == TO


def test_reason_is_told_in_words(sender: MessageApi, organization: Organization) -> None:
    failed = outgoing(organization, State.FAILED, reason="not_on_whatsapp")
    found = sender("get", f"messages/{failed.public_id}").json()
    assert (found["reason"], found["sentence"]) == (
        "not_on_whatsapp",
        "The number is not on WhatsApp.",
    )


def test_caller_without_message_scopes_gets_403_and_outsiders_404(
    olivia: User, alice: User, bob: User, charlie: User, organization: Organization
) -> None:
    stored = message(organization)
    for path in ("messages", f"messages/{stored.public_id}"):
        for user, scopes in ((olivia, ()), (alice, (READ, SEND)), (bob, (READ, SEND))):
            refused = error(MessageApi(user, organization, *scopes)("get", path))
            assert refused[:2] == (403, "permission_denied") and "messages:read" in refused[2]
        unknown = error(MessageApi(charlie, organization, READ, SEND)("get", path))
        assert unknown == (404, "not_found", "Organization not found.")


def test_message_of_another_organization_is_unknown(
    reader: MessageApi, sender: MessageApi, other_organization: Organization
) -> None:
    foreign = outgoing(other_organization)
    for public_id in (foreign.public_id, NOBODY):
        path = f"messages/{public_id}"
        assert error(reader("get", path)) == NO_MESSAGE
        assert error(sender("delete", path)) == NO_MESSAGE
        assert error(sender("post", f"{path}/resend")) == NO_MESSAGE
    assert ids(reader) == []
    foreign.refresh_from_db()
    assert foreign.state == State.QUEUED


# --- Lists --------------------------------------------------------------------------------------


def test_list_is_filtered(reader: MessageApi, organization: Organization) -> None:
    ana, eva = contact(organization, "551187654321"), contact(organization, "", lid="77")
    received = message(organization, contact=ana).public_id
    failed = outgoing(organization, State.FAILED, contact=eva).public_id
    sent = outgoing(organization, State.SENT, contact=ana).public_id
    assert ids(reader) == [sent, failed, received]
    assert ids(reader, "?state=failed,sent") == [sent, failed]
    assert ids(reader, "?direction=in") == [received]
    assert ids(reader, f"?contact=%2B{NUMBER}") == [sent, received]
    assert ids(reader, "?contact=77@lid&state=failed") == [failed]
    Message.objects.filter(public_id=sent).update(created_at=timezone.now() - timedelta(days=1))
    today = (timezone.now() - timedelta(hours=1)).isoformat().replace("+", "%2B")
    assert ids(reader, f"?since={today}") == [failed, received]
    assert ids(reader, f"?until={today}") == [sent]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("state=nowhere", "state: "),
        ("direction=up", "direction: "),
        ("contact=x", "contact: "),
        ("contact=1@g.us", "contact: "),
        ("cursor=!", "cursor: "),
        ("cursor=YWJj", "cursor: "),
        ("pageSize=0", "pageSize: "),
        ("pageSize=201", "pageSize: "),
        ("since=x", "since: "),
    ],
)
def test_bad_parameter_is_named(reader: MessageApi, query: str, named: str) -> None:
    status, code, text = error(reader("get", f"messages?{query}"))
    assert (status, code) == (400, "invalid") and text.startswith(named)


def test_pages_follow_each_other_while_messages_come_in(
    reader: MessageApi, organization: Organization
) -> None:
    stored = [message(organization).public_id for _ in range(5)][::-1]
    first = reader("get", "messages?pageSize=2").json()
    message(organization)
    found = [row["id"] for row in first["results"]]
    while (url := first["next"]) is not None:
        first = reader("get", f"messages?{url.partition('?')[2]}").json()
        found += [row["id"] for row in first["results"]]
    assert found == stored


def test_number_of_queries_does_not_depend_on_rows(
    reader: MessageApi,
    sender: MessageApi,
    organization: Organization,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(5):
        outgoing(
            organization,
            contact=contact(organization, f"551198765432{number}"),
            resends=message(organization),
        )
    for api in (reader, sender):
        with django_assert_max_num_queries(8):
            assert len(ids(api)) == 10


# --- Cancelling, resending, what is held --------------------------------------------------------


@pytest.mark.parametrize("state", [State.QUEUED, State.HELD])
def test_waiting_message_is_cancelled(
    sender: MessageApi, organization: Organization, state: str
) -> None:
    waiting = outgoing(organization, state)
    response = sender("delete", f"messages/{waiting.public_id}")
    assert (response.status_code, response.json()["state"]) == (200, "cancelled")
    event = Event.objects.get()
    assert (event.type, event.data["state"]) == ("message.status", "cancelled")


@pytest.mark.parametrize("state", [State.SENDING, State.SENT, State.UNKNOWN, State.CANCELLED])
def test_other_message_is_not_cancelled(
    sender: MessageApi, organization: Organization, state: str
) -> None:
    other = outgoing(organization, state)
    assert error(sender("delete", f"messages/{other.public_id}"))[:2] == (409, "not_cancellable")
    other.refresh_from_db()
    assert other.state == state


@pytest.mark.parametrize("state", [State.UNKNOWN, State.FAILED, State.EXPIRED, State.CANCELLED])
def test_resending_makes_a_new_message_that_names_the_old_one(
    sender: MessageApi, organization: Organization, olivia: User, state: str
) -> None:
    old = outgoing(organization, state)
    response = sender("post", f"messages/{old.public_id}/resend")
    assert response.status_code == 202
    new = Message.objects.get(public_id=response.json()["id"])
    assert (new.resends, new.content, new.contact) == (old, old.content, old.contact)
    assert (new.state, new.user, response.json()["resends"]) == ("queued", olivia, old.public_id)
    old.refresh_from_db()
    assert old.state == state


def test_message_is_resent_once(sender: MessageApi, organization: Organization) -> None:
    old = outgoing(organization, State.UNKNOWN, on_unknown=Message.OnUnknown.RESENT)
    assert sender("get", f"messages/{old.public_id}").json()["onUnknown"] == "resend"
    path = f"messages/{old.public_id}/resend"
    assert sender("post", path).status_code == 202
    assert error(sender("post", path))[:2] == (409, "not_resendable")
    assert Message.objects.count() == 2


@pytest.mark.parametrize("state", [State.QUEUED, State.SENDING, State.SENT, State.READ])
def test_message_that_may_still_arrive_is_not_resent(
    sender: MessageApi, organization: Organization, state: str
) -> None:
    path = f"messages/{outgoing(organization, state).public_id}/resend"
    assert error(sender("post", path))[:2] == (409, "not_resendable")
    received = message(organization, state=State.UNREADABLE)
    path = f"messages/{received.public_id}/resend"
    assert error(sender("post", path))[:2] == (409, "not_resendable")


def test_message_without_its_file_is_not_resent(
    sender: MessageApi, organization: Organization
) -> None:
    old = outgoing(organization, State.FAILED, type="image", content={"image": {}, "context": None})
    path = f"messages/{old.public_id}/resend"
    assert error(sender("post", path))[:2] == (409, "media_not_ready")


@pytest.mark.parametrize(
    ("path", "state", "action"),
    [
        ("release", "queued", AuditEntry.Action.HELD_MESSAGES_SENT),
        ("drop", "cancelled", AuditEntry.Action.HELD_MESSAGES_DROPPED),
    ],
)
def test_held_messages_are_released_or_dropped_and_audited(
    sender: MessageApi,
    olivia: User,
    organization: Organization,
    other_organization: Organization,
    path: str,
    state: str,
    action: str,
) -> None:
    held = [outgoing(organization, State.HELD).pk for _ in range(2)]
    outgoing(organization, State.FAILED)
    foreign = outgoing(other_organization, State.HELD)
    assert sender("post", f"messages/{path}").json() == {"success": True, "count": 2}
    changed = Message.objects.filter(state=state).order_by("pk")
    assert [row.pk for row in changed] == held
    foreign.refresh_from_db()
    assert foreign.state == State.HELD
    entry = AuditEntry.objects.get(action=action)
    assert (entry.organization, entry.detail, entry.user) == (organization, "2", olivia)


def test_reader_decides_nothing(reader: MessageApi, organization: Organization) -> None:
    waiting, failed = outgoing(organization), outgoing(organization, State.FAILED)
    held = outgoing(organization, State.HELD)
    for method, path in (
        ("delete", f"messages/{waiting.public_id}"),
        ("post", f"messages/{failed.public_id}/resend"),
        ("post", "messages/release"),
        ("post", "messages/drop"),
    ):
        assert error(reader(method, path))[:2] == (403, "permission_denied")
    held.refresh_from_db()
    assert (held.state, Message.objects.count()) == (State.HELD, 3)
