"""Whatever a person's device sends is stored or dropped; nothing holds up the spool."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from messaging.models import Media
from messaging.tests.support.linked import ANA, BEA, Linked
from messaging.tests.support.records import group_message, message, receipt

pytestmark = pytest.mark.django_db

STRANGE_IDS = ["A\0B", "x" * 101, "x" * 5000, "ção", "", " \n", "\ud800"]


@pytest.mark.parametrize("whatsapp_id", STRANGE_IDS)
def test_strange_id_is_stored_once_like_any_other(linked: Linked, whatsapp_id: str) -> None:
    linked.store(message(ANA, id=whatsapp_id))
    linked.store(message(ANA, id=whatsapp_id), message(ANA, id=whatsapp_id))
    assert len(linked.messages()) == len(linked.events()) == 1
    about = {"target": {"id": whatsapp_id, "from_me": False, "sender": ""}, "emoji": "👍"}
    linked.store(message(ANA, type="reaction", reaction=about))
    assert linked.events()[-1].data["id"] == linked.messages()[0].public_id


@pytest.mark.parametrize("whatsapp_id", STRANGE_IDS)
def test_strange_id_in_receipts_groups_and_answers_holds_up_nothing(
    linked: Linked, whatsapp_id: str
) -> None:
    linked.store(
        receipt(whatsapp_id),
        group_message(ANA, id=whatsapp_id),
        message(BEA, context={"id": whatsapp_id, "sender": "", "text": ""}),
    )
    assert len(linked.messages()) == 1


@pytest.mark.parametrize("text", ["a\0b", "x" * 100_000, "", "\u202e\u200b", "🧁" * 5000, "\ud83d"])
def test_strange_texts_and_names_are_stored(linked: Linked, text: str) -> None:
    linked.store(message(ANA, body=text, push_name=text))
    stored = text.encode("utf-8", "replace").decode()
    assert linked.messages()[0].content["text"]["body"] == stored
    assert linked.events()[0].data["text"]["body"] == stored
    assert linked.contact().name == (stored or None)


def test_empty_name_keeps_the_one_that_is_known(linked: Linked) -> None:
    linked.store(message(ANA, push_name="Ana"))
    linked.store(message(ANA, push_name=""))
    assert linked.contact().name == "Ana"


def test_older_message_does_not_bring_back_an_older_name(linked: Linked) -> None:
    linked.store(message(ANA, push_name="Ana Maria"))
    linked.store(message(ANA, push_name="Ana", timestamp=1_700_000_000_000))
    assert linked.contact().name == "Ana Maria"


@pytest.mark.parametrize("timestamp", [0, -1, 4_000_000_000_000, 10**16, 2**63, -(2**63)])
def test_absurd_time_becomes_the_time_of_arrival(linked: Linked, timestamp: int) -> None:
    record = message(ANA, timestamp=timestamp)
    linked.store(record)
    arrived = datetime.fromtimestamp(record["at"] / 1000, UTC)
    assert linked.messages()[0].happened_at == arrived
    assert linked.contact().last_received_at == arrived


@pytest.mark.parametrize(
    "jid", ["123456789012345678901234@s.whatsapp.net", "١٢٣@s.whatsapp.net", "a\0@lid", "@lid"]
)
def test_strange_address_is_nobodys(linked: Linked, jid: str) -> None:
    linked.store(message(ANA, chat=jid), message(BEA))
    assert [stored.contact.number for stored in linked.messages()] == [BEA]


def test_numbers_that_are_no_json_become_null(linked: Linked) -> None:
    place = {"latitude": float("nan"), "longitude": float("inf"), "name": "", "address": ""}
    linked.store(message(ANA, type="location", location=place))
    [event] = linked.events()
    assert event.data["location"]["latitude"] is event.data["location"]["longitude"] is None
    json.dumps(event.data, allow_nan=False)


@pytest.mark.parametrize(
    "about",
    [
        {"size": 2**64 - 1, "sha256": "ab" * 500, "filename": "../../etc/passwd\0"},
        {"size": None, "sha256": None, "filename": None},
        {},
    ],
)
def test_strange_file_is_stored_to_be_fetched(linked: Linked, about: dict[str, object]) -> None:
    linked.store(message(ANA, type="image", image=about, media="aGk="))
    media = Media.objects.get()
    assert (media.state, media.source, media.sha256) == ("pending", "aGk=", "")
    assert media.size == (2**53 - 1 if about.get("size") else 0)
    assert linked.events()[0].data["image"].get("size") in (None, 2**53 - 1)
    assert linked.messages()[0].media == media
    assert linked.events()[0].data["media"] == {"id": media.public_id, "state": "pending"}


def test_file_is_described_by_its_sender(linked: Linked) -> None:
    about = {"size": 5, "sha256": "ab" * 32, "filename": "bolo.pdf", "mime_type": "image/svg+xml"}
    linked.store(message(ANA, type="document", document=about, media="aGk="))
    media = Media.objects.get()
    assert (media.size, media.sha256, media.filename) == (5, "ab" * 32, "bolo.pdf")
    assert media.mime_type == ""


def test_record_with_only_the_necessary_keys_is_stored(linked: Linked) -> None:
    record = message(ANA)
    optional = ("push_name", "category", "edit", "retry", "context", "media", "secret", "chat_alt")
    for name in (*optional, "sender_alt", "type", "text", "group", "account"):
        del record[name]
    linked.store(record)
    assert linked.messages()[0].type == "unsupported"


@pytest.mark.parametrize("kind", ["poll", "unsupported", "sticker", "contacts", "something_new"])
def test_message_of_any_type_is_told(linked: Linked, kind: str) -> None:
    linked.store({**message(ANA), "type": kind, kind: {"field": "x"}})
    assert linked.events()[0].data["type"] == kind


@pytest.mark.parametrize("kind", ["unparsed", "broken"])
def test_line_that_cannot_be_read_holds_up_nothing(
    linked: Linked, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    unreadable = {"kind": kind, "event": 17, "data": "c2VjcmV0", "at": 1, "account": ""}
    linked.store(unreadable, message(ANA))
    assert len(linked.messages()) == 1
    assert "cannot be read" in caplog.text and "c2VjcmV0" not in caplog.text
