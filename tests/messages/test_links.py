"""What becomes of messages when the link ends, or was cut off without a word."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.support.application import Application
from tests.support.linking import decode
from tests.support.messages_api import Chat

MAKE_OLD = (
    "from datetime import timedelta; from messaging.models import Message; "
    "from django.db.models import F; "
    "Message.objects.filter(public_id__in={messages}).update("
    "created_at=F('created_at') - timedelta(minutes=15))"
)


def link_again(chat: Chat) -> None:
    """Link the same phone anew."""
    answer = chat.application.api("POST", chat.organization, "reconnect")
    chat.application.simulator.scan(decode(answer), number=chat.number)
    chat.application.wait_for_state(chat.organization, "connected")


@pytest.mark.servers
def test_old_message_is_held_after_a_new_link_until_a_person_decides(chat: Chat) -> None:
    assert chat.application.api("DELETE", chat.organization, "disconnect").status == 200
    old, dropped = chat.send("Bom dia"), chat.send("Ainda quer?")
    chat.application.manage("shell", "-c", MAKE_OLD.format(messages=[old, dropped]))
    link_again(chat)
    found = chat.wait_for_state(old, "held")
    assert found["reason"] == "new_link"
    assert chat.request("DELETE", f"messages/{dropped}").body["state"] == "cancelled"
    assert chat.request("POST", "messages/release").body["count"] == 1
    chat.wait_for_state(old, "delivered")
    assert [got["text"]["body"] for got in chat.received()] == ["Bom dia"]


def test_message_that_was_confirmed_and_never_stored_is_named_as_lost(
    own_application: Application,
) -> None:
    """As after a kill between the library's confirmation and our callback."""
    chat = Chat.start(own_application, own_application.organization(), name="Ana")
    chat.write("Oi")
    received = chat.wait_for_event("message.received")["data"]
    (store,) = own_application.data_dir.glob(f"auth_sessions/{chat.organization}/*/*.sqlite3")
    with closing(sqlite3.connect(store, timeout=10)) as database, database:
        [(lid,)] = database.execute("SELECT lid FROM whatsmeow_device")
        own = f"{lid.partition('@')[0].partition(':')[0]}@lid"
        database.execute(
            "INSERT INTO whatsmeow_message_secrets SELECT our_jid, ?, ?, '3EB0TOONESELF', ?"
            " FROM whatsmeow_message_secrets WHERE message_id = ?",
            (own, own, bytes(32), received["whatsappId"]),
        )
        database.execute(
            "INSERT INTO whatsmeow_message_secrets"
            " SELECT our_jid, chat_jid, sender_jid, '3EB0LOST', ? FROM whatsmeow_message_secrets"
            " WHERE message_id = ?",
            (bytes(32), received["whatsappId"]),
        )
    # The first one: what one writes to oneself comes before it, and is no message of a person.
    lost = chat.wait_for_event("message.lost", seconds=90)["data"]
    assert (lost["whatsappId"], lost["reason"]) == ("3EB0LOST", "not_stored")
    assert lost["from"]["phone"] == f"+{chat.person}"
