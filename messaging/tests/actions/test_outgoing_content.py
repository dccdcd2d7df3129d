"""What the library gets for a message: the address, the target, the secret, the file."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from messaging.actions import outcomes, retention
from messaging.actions.quotes import QUOTE_LENGTH
from messaging.models import Contact, Media, Message
from messaging.tests.support.linked import ANA, Linked, reread
from messaging.tests.support.records import LID, message, receipt

State = Message.State

pytestmark = pytest.mark.django_db

LONG, SHORT = "5511987654321", "551187654321"


def test_new_number_is_resolved_first(linked: Linked) -> None:
    linked.enqueue(ANA)
    taken = linked.take_outgoing()
    assert taken.resolve == f"+{ANA}"
    assert taken.content["to"] == {"user": ANA, "server": "s.whatsapp.net"}


def test_lid_is_preferred_and_not_resolved(linked: Linked) -> None:
    linked.store(message(ANA, LID))
    linked.enqueue(ANA)
    taken = linked.take_outgoing()
    assert taken.resolve == ""
    assert taken.content["to"] == {"user": LID, "server": "lid"}


def test_person_known_by_the_number_alone_is_not_resolved_after_writing(linked: Linked) -> None:
    linked.store(message(SHORT))
    linked.enqueue(LONG)
    taken = linked.take_outgoing()
    assert taken.resolve == ""
    # In the spelling of the account, which alone is on WhatsApp.
    assert taken.content["to"] == {"user": SHORT, "server": "s.whatsapp.net"}


def test_spelling_of_the_account_counts_when_the_person_writes_later(linked: Linked) -> None:
    linked.enqueue(LONG)
    linked.store(message(SHORT))
    taken = linked.take_outgoing()
    assert taken.content["to"] == {"user": SHORT, "server": "s.whatsapp.net"}
    assert linked.contact().number == SHORT


def test_number_is_resolved_once(linked: Linked) -> None:
    linked.enqueue(ANA)
    taken = linked.take_outgoing()
    outcomes.record_resolved(taken, {"lid": "", "phone": ANA}, "")
    linked.record(linked.messages()[0])
    linked.enqueue(ANA)
    assert linked.take_outgoing().resolve == ""
    long_ago = timezone.now() - timedelta(days=8)
    Contact.objects.update(resolved_at=long_ago)
    linked.record(linked.messages()[1])
    linked.enqueue(ANA)
    assert linked.take_outgoing().resolve == f"+{ANA}"


def test_answer_gives_the_accounts_spelling_and_lid(linked: Linked) -> None:
    linked.enqueue(LONG)
    taken = linked.take_outgoing()
    resolved = outcomes.record_resolved(taken, {"lid": LID, "phone": SHORT}, "")
    assert resolved is not None
    assert (resolved.resolve, resolved.content["to"]) == ("", {"user": LID, "server": "lid"})
    contact = linked.contact()
    assert (contact.number, contact.lid, contact.on_whatsapp) == (SHORT, LID, True)


def test_answer_joins_the_contact_that_was_known_by_its_lid(linked: Linked) -> None:
    linked.store(message(lid=LID))
    queued = linked.enqueue(ANA)
    taken = linked.take_outgoing()
    outcomes.record_resolved(taken, {"lid": LID, "phone": ANA}, "")
    contact = linked.contact()
    assert (contact.number, contact.lid) == (ANA, LID)
    assert reread(queued).contact == contact
    assert contact.messages.count() == 2


def test_number_that_is_not_on_whatsapp_fails(linked: Linked) -> None:
    queued = linked.enqueue(ANA)
    assert outcomes.record_resolved(linked.take_outgoing(), None, "") is None
    assert linked.states(queued) == [("failed", "not_on_whatsapp")]
    assert linked.contact().on_whatsapp is False


def test_number_that_could_not_be_resolved_is_tried_again(linked: Linked) -> None:
    queued = linked.enqueue(ANA)
    assert outcomes.record_resolved(linked.take_outgoing(), None, "timed_out") is None
    queued = reread(queued)
    assert (queued.state, queued.reason) == (State.QUEUED, "not_sent_yet")
    assert queued.not_before is not None and queued.not_before > timezone.now()
    assert linked.contact().on_whatsapp is None


def test_answer_about_a_message_that_is_no_longer_sent_is_ignored(linked: Linked) -> None:
    linked.enqueue(ANA)
    taken = linked.take_outgoing()
    Message.objects.update(state=State.UNKNOWN)
    assert outcomes.record_resolved(taken, None, "") is None
    assert linked.messages()[0].state == State.UNKNOWN


def test_each_try_has_a_secret_of_its_own(linked: Linked) -> None:
    linked.enqueue(ANA)
    first = linked.take_outgoing()
    linked.record(linked.messages()[0], error="not_connected")
    Message.objects.update(not_before=None)
    second = linked.take_outgoing()
    secrets = [bytes.fromhex(taken.content["secret"]) for taken in (first, second)]
    assert {len(secret) for secret in secrets} == {32} and secrets[0] != secrets[1]


def test_answer_and_change_name_the_sender_of_their_target(linked: Linked) -> None:
    asked = message(ANA, LID, body="Is it open?")
    linked.store(asked)
    received = linked.messages()[0]
    linked.enqueue(ANA, context=received.public_id)
    assert linked.take_outgoing().content["context"] == {
        **{"id": asked["id"], "from_me": False, "sender": f"{LID}@lid"},
        "text": "Is it open?",
    }


def quote_of(linked: Linked, target: Message) -> str:
    linked.enqueue(ANA, context=target.public_id)
    context = linked.take_outgoing().content["context"]
    return str(context["text"])


def test_caption_is_quoted(linked: Linked) -> None:
    picture = {"size": 5, "sha256": "ab" * 32, "filename": "a.png", "caption": "Our door"}
    linked.store(message(ANA, type="image", image=picture, media="aGk="))
    assert quote_of(linked, linked.messages()[0]) == "Our door"


def test_long_text_is_quoted_in_part(linked: Linked) -> None:
    linked.store(message(ANA, body="ação " * 200))
    quote = quote_of(linked, linked.messages()[0])
    assert len(quote) <= QUOTE_LENGTH
    assert quote.startswith("ação ação") and quote.endswith("ação…")


@pytest.mark.parametrize("content", [{}, {"location": {"latitude": 1}}, {"location": None}])
def test_message_without_a_text_is_quoted_without_one(
    linked: Linked, content: dict[str, object]
) -> None:
    linked.store(message(ANA))
    (received,) = linked.messages()
    Message.objects.update(type="location", content=content)
    assert quote_of(linked, received) == ""


def test_erased_text_is_not_quoted(linked: Linked) -> None:
    sent = linked.send(ANA, "A secret")
    linked.store(receipt(sent.whatsapp_id))
    linked.enqueue(ANA, context=sent.public_id)
    retention.erase_delivered(linked.pk)
    context = linked.take_outgoing().content["context"]
    assert (context["id"], context["text"]) == (sent.whatsapp_id, "")


def test_own_target_has_no_sender(linked: Linked) -> None:
    sent = linked.send(ANA)
    linked.enqueue(type="edit", body={"messageId": sent.public_id, "body": "Oi!"})
    edit = linked.take_outgoing().content["edit"]
    assert edit == {
        **{"target": {"id": sent.whatsapp_id, "from_me": True, "sender": ""}, "body": "Oi!"}
    }


def test_file_is_named_with_its_type(linked: Linked) -> None:
    media = Media.objects.create(
        organization=linked.organization,
        **{"state": "ready", "mime_type": "image/png", "stored_as": "ab/cd"},
    )
    linked.enqueue(type="image", body={"caption": "Bolo"}, media=media.public_id)
    taken = linked.take_outgoing()
    assert taken.media == "ab/cd"
    assert taken.content["image"] == {
        **{"caption": "Bolo", "mime_type": "image/png", "filename": ""}
    }


@pytest.mark.parametrize(
    ("body", "link"),
    [
        ("Veja https://a.example/x?y=1. E https://b.example", "https://a.example/x?y=1"),
        ("(http://a.example/)", "http://a.example/"),
        ("no link: ftp://a.example", ""),
        ("https://a.example/\u202exyz", ""),
    ],
)
def test_link_to_preview_is_the_first_one(linked: Linked, body: str, link: str) -> None:
    linked.enqueue(body={"body": body, "preview_url": True})
    taken = linked.take_outgoing()
    assert (taken.link, taken.content["text"]) == (link, {"body": body})


@pytest.mark.parametrize("wish", [{}, {"preview_url": False}])
def test_no_link_is_previewed_without_the_wish(linked: Linked, wish: dict[str, bool]) -> None:
    linked.enqueue(body={"body": "https://a.example/", **wish})
    taken = linked.take_outgoing()
    assert (taken.link, taken.content["text"]) == ("", {"body": "https://a.example/"})
