"""Messages that the library confirmed and that were never stored are named, others are not."""

from __future__ import annotations

from itertools import count

import pytest

from connections.actions import Fence
from connections.worker.message_port import StoredSecret
from messaging.actions import lost
from messaging.models import Message
from messaging.tests.support.linked import ANA, Linked, age
from messaging.tests.support.records import (
    LID,
    OWN_NUMBER,
    change,
    group_message,
    lid_jid,
    message,
    number_jid,
)

State = Message.State

pytestmark = pytest.mark.django_db

ROWS = count(1)


def secret(
    whatsapp_id: str = "3EB0A", chat: str = number_jid(ANA), sender: str = "", key: bytes = b"?"
) -> StoredSecret:
    return StoredSecret(next(ROWS), chat, sender or chat, whatsapp_id, key)


def compare(linked: Linked, *secrets: StoredSecret) -> list[dict[str, object]]:
    """Compare rows of the table. Return what the log says of lost messages."""
    newest = secrets[-1].row if secrets else 0
    lost.record_secrets(linked.fence, secrets, newest, newest)
    return [event.data for event in linked.events("message.lost")]


def test_message_that_was_never_stored_is_named_once(linked: Linked) -> None:
    [data] = compare(linked, secret("3EB0A"))
    [stored] = linked.messages()
    assert (stored.state, stored.direction, stored.whatsapp_id) == (State.LOST, "in", "3EB0A")
    assert data == {
        **{"id": stored.public_id, "whatsappId": "3EB0A", "fromMe": False},
        "from": {"phone": f"+{ANA}", "lid": None, "waId": ANA, "name": None},
        **{"reason": "not_stored", "before": stored.created_at.isoformat()},
    }
    assert len(compare(linked, secret("3EB0A"))) == 1


def test_message_that_is_found_later_is_told_as_received(linked: Linked) -> None:
    compare(linked, secret("3EB0A"))
    record = message(ANA, id="3EB0A", timestamp=1_700_000_000_000)
    linked.store(record)
    linked.store(record)
    [stored] = linked.messages()
    assert stored.state == State.RECEIVED
    assert stored.happened_at.timestamp() == 1_700_000_000
    assert [event.type for event in linked.events()] == ["message.lost", "message.received"]


def test_stored_messages_are_not_lost(linked: Linked) -> None:
    received, elsewhere = message(ANA, LID), message(ANA, from_me=True)
    sent = linked.send(ANA)
    linked.store(received, elsewhere)
    ids = (received["id"], elsewhere["id"], sent.whatsapp_id)
    assert compare(linked, *map(secret, ids)) == []


def test_reactions_edits_and_groups_are_not_lost(linked: Linked) -> None:
    records = (
        change("reaction", "3EB0A", of_us=True, number=ANA, emoji="x"),
        change("edit", "3EB0A", of_us=False, number=ANA, body="x"),
        group_message(ANA),
        message(ANA, type="protocol"),
    )
    linked.store(*records)
    assert compare(linked, *(secret(record["id"]) for record in records)) == []


@pytest.mark.parametrize("chat", ["1203630@g.us", "status@broadcast", "12@newsletter", ""])
def test_only_chats_with_people_are_named(linked: Linked, chat: str) -> None:
    assert compare(linked, secret(chat=chat, sender=number_jid(ANA))) == []


def test_chat_with_oneself_is_not_named(linked: Linked) -> None:
    own = number_jid(f"{OWN_NUMBER}{linked.pk}")
    assert compare(linked, secret(chat=own)) == []


def test_own_message_from_the_phone_is_named_as_ours(linked: Linked) -> None:
    [data] = compare(linked, secret(chat=lid_jid(LID), sender=number_jid(OWN_NUMBER)))
    assert data["fromMe"] is True
    assert linked.messages()[0].direction == "elsewhere"


def test_message_that_is_being_sent_is_not_lost(linked: Linked) -> None:
    linked.enqueue(ANA)
    key = bytes.fromhex(linked.take_outgoing().content["secret"])
    assert compare(linked, secret("3EB0B", key=key)) == []


@pytest.mark.parametrize(
    "outcome",
    [
        {"error": "refused", "code": 479},
        {"error": "timed_out", "maybe_sent": True},
        {"error": "not_connected"},
    ],
    ids=lambda outcome: str(outcome["error"]),
)
def test_message_that_was_not_accepted_is_not_lost(
    linked: Linked, outcome: dict[str, object]
) -> None:
    queued = linked.enqueue(ANA)
    key = bytes.fromhex(linked.take_outgoing().content["secret"])
    linked.record(queued, **outcome)
    assert compare(linked, secret("3EB0B", key=key)) == []


def test_earlier_try_of_a_message_that_was_sent_again_is_not_lost(linked: Linked) -> None:
    queued = linked.enqueue(ANA, on_unknown="resend")
    key = bytes.fromhex(linked.take_outgoing().content["secret"])
    linked.record(queued, error="timed_out", maybe_sent=True, whatsapp_id="3EB0B")
    age(queued, minutes=0, not_before=None)
    linked.take()
    linked.record(queued, whatsapp_id="3EB0C")
    assert compare(linked, secret("3EB0B", key=key)) == []


@pytest.mark.parametrize("whatsapp_id", ["A\0B", "x" * 101, ""])
def test_strange_id_is_compared_like_any_other(linked: Linked, whatsapp_id: str) -> None:
    linked.store(message(ANA, id=whatsapp_id))
    assert compare(linked, secret(whatsapp_id)) == []
    assert len(compare(linked, secret(f"lost {whatsapp_id}"))) == 1


def test_position_is_kept(linked: Linked) -> None:
    assert lost.position(linked.fence) == 0
    lost.record_secrets(linked.fence, [], 41, 41)
    assert lost.position(linked.fence) == 41
    linked.send()
    assert lost.position(linked.fence) == 41


def test_worker_that_lost_the_connection_stores_nothing(linked: Linked) -> None:
    lost.record_secrets(Fence(linked.pk, claim=0, generation=0), [secret()], 9, 9)
    assert linked.messages() == [] and lost.position(linked.fence) == 0


def test_other_organizations_messages_do_not_count(linked: Linked, other: Linked) -> None:
    record = message(ANA)
    other.store(record)
    assert len(compare(linked, secret(record["id"]))) == 1


def repeated(whatsapp_id: str, chat: str = number_jid(ANA)) -> dict[str, object]:
    return {"kind": "repeated", "id": whatsapp_id, "chat": chat, "sender": chat}


def test_message_that_came_again_and_was_never_stored_is_named_once(linked: Linked) -> None:
    linked.store(repeated("3EB0A"), repeated("3EB0A"))
    linked.store(repeated("3EB0A"))
    [stored] = linked.messages()
    assert (stored.state, stored.direction, stored.whatsapp_id) == (State.LOST, "in", "3EB0A")
    [event] = linked.events("message.lost")
    assert (event.data["whatsappId"], event.data["reason"]) == ("3EB0A", "not_stored")


def test_stored_message_that_came_again_changes_nothing(linked: Linked) -> None:
    linked.store(message(ANA, id="3EB0A"), repeated("3EB0A"))
    linked.store(message(ANA, id="3EB0B", type="protocol"), repeated("3EB0B"))
    linked.store(repeated("3EB0C", chat="120363@g.us"))
    assert [stored.state for stored in linked.messages()] == [State.RECEIVED]
    assert linked.events("message.lost") == []
