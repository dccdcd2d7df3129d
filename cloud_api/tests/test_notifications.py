"""Meta's notifications of each event of the log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from cloud_api.notifications import MESSAGE_EVENTS, notification
from connections.models import Connection
from events import log
from events.models import CONNECTION_TYPES, Event, EventType
from messaging import signed_urls
from messaging.actions import erasure, expiry, lost, unsent
from messaging.actions.erasure import KEPT_OF_EVENTS
from messaging.models import Message
from messaging.tests.support.linked import ALICE, ANA, Linked, reread
from messaging.tests.support.records import LID, change, group_message, message, receipt
from organizations.models import Organization


@pytest.fixture
def linked(organization: Organization) -> Linked:
    return Linked(organization)


def told(linked: Linked, *types: str) -> list[dict[str, Any]]:
    """Return the notifications of the log's events, checked for what all have in common."""
    found = [notification(event) for event in linked.events(*types)]
    bodies = [body for body in found if body is not None]
    for body in bodies:
        assert body["object"] == "whatsapp_business_account"
        [entry] = body["entry"]
        assert entry["id"] == str(linked.pk)
        [changed] = entry["changes"]
        assert changed["value"]["metadata"] == {
            "display_phone_number": linked.number,
            "phone_number_id": str(linked.pk),
        }
        [contact] = changed["value"]["contacts"]
        assert set(contact) == {"profile", "wa_id", "user_id"}
    return bodies


def value(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body["entry"][0]["changes"][0]["value"]
    return found


def field(body: dict[str, Any]) -> str:
    return str(body["entry"][0]["changes"][0]["field"])


def only(linked: Linked, name: str = "messages") -> dict[str, Any]:
    """Return the only message of the only notification."""
    [body] = told(linked)
    [found] = value(body)[name]
    return dict(found)


def test_received_text_is_a_message_from_its_contact(linked: Linked) -> None:
    linked.store(message(ANA, body="Oi", timestamp=1_700_000_000_000))
    [body] = told(linked)
    [stored] = linked.messages()
    assert field(body) == "messages"
    assert value(body)["contacts"] == [{"profile": {"name": "Ana"}, "wa_id": ANA, "user_id": ANA}]
    assert value(body)["messages"] == [
        {
            "from": ANA,
            "id": f"wamid.{stored.public_id}",
            "timestamp": "1700000000",
            "type": "text",
            "text": {"body": "Oi"},
        }
    ]


def test_person_without_a_number_has_an_id_to_answer_to(linked: Linked) -> None:
    linked.store(message(lid=LID))
    [body] = told(linked)
    assert value(body)["contacts"][0]["wa_id"] == f"ZZ.{LID}"
    assert value(body)["messages"][0]["from"] == f"ZZ.{LID}"


def test_person_with_both_has_number_and_hidden_identity(linked: Linked) -> None:
    linked.store(message(ANA, LID))
    contact = value(told(linked)[0])["contacts"][0]
    assert (contact["wa_id"], contact["user_id"]) == (ANA, f"ZZ.{LID}")


FILE = {"mime_type": "image/png", "size": 9, "sha256": "a" * 64, "caption": "Bolo", "filename": ""}
RECEIVED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "image": (FILE, {"mime_type": "image/png", "sha256": "a" * 64, "caption": "Bolo"}),
    "audio": (
        FILE | {"mime_type": "audio/ogg; codecs=opus", "caption": "", "voice": True, "seconds": 3},
        {"mime_type": "audio/ogg; codecs=opus", "sha256": "a" * 64, "voice": True},
    ),
    "document": (
        FILE | {"caption": "", "filename": "a.pdf"},
        {"mime_type": "image/png", "sha256": "a" * 64, "filename": "a.pdf"},
    ),
    "location": (
        {"latitude": -23.5, "longitude": 46.0, "name": "", "address": "Rua A"},
        {"latitude": -23.5, "longitude": 46.0, "address": "Rua A"},
    ),
}


@pytest.mark.parametrize("kind", RECEIVED)
def test_content_of_each_type_is_told(linked: Linked, kind: str) -> None:
    given, expected = RECEIVED[kind]
    fields: dict[str, Any] = {"type": kind, kind: given, "media": "AAAA"}
    linked.store(message(ANA, **fields))
    found = only(linked)
    if kind != "location":
        expected = {"id": linked.messages()[0].media.public_id, **expected}  # type: ignore[union-attr]
    assert (found["type"], found[kind]) == (kind, expected)


def test_file_is_told_with_its_address_where_the_site_has_one(
    linked: Linked, settings: Settings
) -> None:
    settings.SITE_URL = "https://orgs.example.com"
    linked.store(message(ANA, type="image", image=FILE, media="AAAA"))
    linked.store(message(ANA, type="image", image=FILE, media="AAAA", from_me=True))
    for event, kind in (("received", "messages"), ("sent_elsewhere", "message_echoes")):
        [body] = told(linked, f"message.{event}")
        image = value(body)[kind][0]["image"]
        origin, _, signed = image["url"].partition("/media/")
        assert origin == "https://orgs.example.com"
        assert signed_urls.public_id_in(signed) == image["id"]


def test_contact_card_is_told_with_its_numbers(linked: Linked) -> None:
    vcard = (
        "BEGIN:VCARD\r\nFN:Bea\r\nTEL;type=CELL;waid=5511987654321:+55 11 98765-4321\r\nEND:VCARD"
    )
    card = {"contacts": [{"name": "Bea", "vcard": vcard}]}
    linked.store(message(ANA, type="contacts", contacts=card))
    assert only(linked)["contacts"] == [
        {
            "name": {"formatted_name": "Bea", "first_name": "Bea"},
            "phones": [{"phone": "+55 11 98765-4321", "type": "CELL", "wa_id": "5511987654321"}],
        }
    ]


def test_type_that_meta_does_not_have_is_unsupported(linked: Linked) -> None:
    linked.store(message(ANA, type="poll", poll={"field": "pollCreationMessage"}))
    found = only(linked)
    assert (found["type"], found["unsupported"]) == ("unsupported", {"type": "poll"})
    assert found["errors"][0]["code"] == 131051


def test_message_of_a_group_names_the_group(linked: Linked) -> None:
    from messaging.models import MessagingSettings

    MessagingSettings.objects.create(organization=linked.organization, groups=True)
    linked.store(group_message(ANA, "12036304@g.us"))
    found = only(linked)
    assert (found["from"], found["group_id"]) == (ANA, "12036304@g.us")


def test_answer_names_the_message_that_it_answers(linked: Linked) -> None:
    sent = linked.send()
    context = {"id": sent.whatsapp_id, "sender": "", "text": ""}
    linked.store(message(ANA, context=context), message(ANA, context=context | {"id": "3EB0X"}))
    known, unknown = (value(body)["messages"][0] for body in told(linked, "message.received"))
    assert known["context"] == {"from": linked.number, "id": f"wamid.{sent.public_id}"}
    assert unknown["context"] == {"id": "3EB0X"}


def test_answer_names_who_wrote_without_a_number(linked: Linked) -> None:
    asked = message(lid=LID)
    linked.store(asked, message(lid=LID, context={"id": asked["id"], "sender": "", "text": ""}))
    answer = value(told(linked)[1])["messages"][0]
    assert answer["context"]["from"] == f"ZZ.{LID}"


def test_message_written_on_the_phone_is_an_echo(linked: Linked) -> None:
    linked.store(message(ANA, body="Já respondi", from_me=True))
    [body] = told(linked)
    assert field(body) == "smb_message_echoes"
    found = only(linked, "message_echoes")
    assert (found["from"], found["to"]) == (linked.number, ANA)
    assert found["text"] == {"body": "Já respondi"}


def test_edit_deletion_and_reaction_name_their_message(linked: Linked) -> None:
    received, sent = message(ANA), linked.send()
    linked.store(received)
    [stored] = [found for found in linked.messages() if found != sent]
    linked.store(
        change("edit", received["id"], of_us=False, number=ANA, body="Olá"),
        change("delete", received["id"], of_us=False, number=ANA),
        change("reaction", sent.whatsapp_id, of_us=True, number=ANA, emoji="👍"),
        change("reaction", sent.whatsapp_id, of_us=True, number=ANA, emoji=""),
    )
    changed = [value(body)["messages"][0] for body in told(linked)[-4:]]
    original = f"wamid.{stored.public_id}"
    edited = {"type": "text", "text": {"body": "Olá"}}
    assert changed[0]["edit"] == {"original_message_id": original, "message": edited}
    assert changed[1]["revoke"] == {"original_message_id": original}
    assert changed[2]["reaction"] == {"message_id": f"wamid.{sent.public_id}", "emoji": "👍"}
    assert changed[3]["reaction"] == {"message_id": f"wamid.{sent.public_id}"}
    assert len({found["id"] for found in changed}) == 4


def test_own_reaction_on_the_phone_is_an_echo(linked: Linked) -> None:
    received = message(ANA)
    linked.store(received)
    linked.store(
        change("reaction", received["id"], of_us=False, number=ANA, emoji="👍", from_me=True)
    )
    body = told(linked)[-1]
    assert field(body) == "smb_message_echoes"
    assert value(body)["message_echoes"][0]["to"] == ANA


def test_message_that_was_lost_is_told_as_unavailable(linked: Linked) -> None:
    contact = linked.send().contact
    row = Message.objects.create(
        organization=linked.organization, contact=contact, direction="in", state="lost", content={}
    )
    event = lost.lost_event(row, "not_stored")
    told_event = Event(
        organization=linked.organization, sequence=9, type=event.type, data=event.data
    )
    body = notification(told_event)
    assert body is not None
    [found] = value(body)["messages"]
    assert (found["type"], found["errors"][0]["code"]) == ("unsupported", 131060)


def test_steps_of_a_sent_message_are_its_statuses(linked: Linked) -> None:
    sent = linked.send(callback_data="order-1207")
    for kind in ("delivered", "read", "played"):
        linked.store(receipt(sent.whatsapp_id, kind=kind, sender=f"{ANA}@s.whatsapp.net"))
    bodies = told(linked)
    statuses = [value(body)["statuses"][0] for body in bodies]
    assert [status["status"] for status in statuses] == ["sent", "delivered", "read", "played"]
    for status in statuses:
        assert status["id"] == f"wamid.{sent.public_id}"
        assert status["recipient_id"] == ANA
        assert status["biz_opaque_callback_data"] == "order-1207"
        assert "errors" not in status
    assert value(bodies[0])["contacts"][0]["wa_id"] == ANA


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ({"error": "not_on_whatsapp"}, 131026),
        ({"error": "refused"}, 131026),
        ({"error": "refused", "code": 463}, 131048),
        ({"error": "upload_failed"}, 131053),
        ({"error": "unsupported"}, 131051),
        ({"error": "failed"}, 131000),
        ({"error": "timed_out", "maybe_sent": True, "final": True}, 131000),
    ],
)
def test_failure_is_told_with_its_code(linked: Linked, outcome: dict[str, Any], code: int) -> None:
    linked.enqueue()
    taken = linked.take()
    assert taken is not None
    linked.record(taken, **outcome)
    status = value(told(linked)[-1])["statuses"][0]
    assert (status["status"], status["errors"][0]["code"]) == ("failed", code)
    assert status["errors"][0]["error_data"]["details"]


def test_cancelled_and_expired_messages_have_failed(linked: Linked) -> None:
    unsent.cancel(linked.pk, linked.enqueue().pk)
    late = linked.enqueue()
    Message.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    expiry.expire_all()
    statuses = [value(body)["statuses"][0] for body in told(linked)]
    assert [status["status"] for status in statuses] == ["failed", "failed"]
    assert [status["errors"][0]["code"] for status in statuses] == [131026, 131026]


def test_message_that_expired_while_the_number_was_banned_has_the_code_of_a_ban(
    linked: Linked,
) -> None:
    late = linked.enqueue()
    Message.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    expiry.expire_all()
    Connection.objects.filter(pk=linked.pk).update(reason="banned")
    [body] = told(linked)
    assert value(body)["statuses"][0]["errors"][0]["code"] == 368


def test_status_of_a_deleted_message_has_a_contact_still(linked: Linked) -> None:
    sent = linked.send()
    reread(sent).delete()
    [body] = told(linked)
    assert value(body)["contacts"][0]["wa_id"] in (ANA, "")
    assert value(body)["statuses"][0]["id"] == f"wamid.{sent.public_id}"


def test_events_that_meta_does_not_have_are_not_told(linked: Linked) -> None:
    for kind in (EventType.MEDIA_READY, EventType.MEDIA_FAILED, *CONNECTION_TYPES):
        event = Event(organization=linked.organization, sequence=1, type=kind, data={})
        assert notification(event) is None
    held = {"id": "x" * 22, "state": "held", "at": timezone.now().isoformat()}
    event = Event(
        organization=linked.organization, sequence=1, type=EventType.MESSAGE_STATUS, data=held
    )
    assert notification(event) is None


@pytest.mark.parametrize("from_me", [False, True])
@pytest.mark.parametrize("kind", MESSAGE_EVENTS)
def test_event_of_an_erased_person_is_not_told(
    linked: Linked, kind: EventType, from_me: bool
) -> None:
    linked.store(message(ANA, body="Oi", from_me=from_me))
    Event.objects.update(type=kind)
    assert len(told(linked)) == 1
    log.redact(Event.objects.all(), KEPT_OF_EVENTS)
    assert told(linked) == []


@pytest.mark.parametrize("deleted", [False, True])
def test_status_of_a_message_to_an_erased_person_is_not_told(linked: Linked, deleted: bool) -> None:
    sent = linked.send()
    assert len(told(linked)) == 1
    erasure.erase_contact(linked.organization, sent.contact_id, ALICE)
    linked.store(receipt(sent.whatsapp_id, sender=f"{ANA}@s.whatsapp.net"))
    assert len(linked.events()) == 2
    if deleted:
        linked.events()[1].delete()
        reread(sent).delete()
    assert told(linked) == []
