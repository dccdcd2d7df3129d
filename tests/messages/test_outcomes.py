"""Each state of an outgoing message, with the real neonize and what WhatsApp may answer."""

from __future__ import annotations

import pytest

from tests.support.application import Application, until
from tests.support.messages_api import Chat

pytestmark = pytest.mark.servers

UNKNOWN_NUMBER = "5511900000001"


def texts(chat: Chat) -> list[str]:
    return [got["text"]["body"] for got in chat.received()]


def test_read_message_is_read(application: Application, organization: int) -> None:
    chat = Chat.start(application, organization, auto="read")
    chat.write("Oi")
    found = chat.wait_for_state(chat.send("Bom dia"), "read")
    assert found["reason"] is None


def test_number_that_is_not_on_whatsapp_fails_in_words(chat: Chat) -> None:
    found = chat.wait_for_state(chat.send("Bom dia", to=UNKNOWN_NUMBER), "failed")
    assert found["reason"] == "not_on_whatsapp"
    assert found["sentence"] == "The number is not on WhatsApp."


@pytest.mark.parametrize(("code", "reason"), [(479, "refused"), (463, "restricted")])
def test_refused_message_fails_and_never_arrives(chat: Chat, code: int, reason: str) -> None:
    chat.application.simulator.arm("nack", number=chat.number, count=1, error=code)
    found = chat.wait_for_state(chat.send("Bom dia"), "failed")
    assert found["reason"] == reason
    after = chat.send("Ainda aí?")
    chat.wait_for_state(after, "delivered")
    assert texts(chat) == ["Ainda aí?"], "answers go on"


def test_first_messages_wait_after_whatsapp_has_restricted_the_number(chat: Chat) -> None:
    stranger = str(chat.application.simulator.save_person(name="Bea")["number"])
    chat.application.simulator.arm("nack", number=chat.number, count=1, error=463)
    chat.wait_for_state(chat.send("Bom dia", to=stranger), "failed")
    waiting = chat.send("Bom dia", to=stranger)
    chat.wait_for_state(chat.send("Oi, Ana"), "delivered")
    assert chat.message(waiting)["state"] == "queued"
    assert chat.message(waiting)["reason"] == "replies_only"
    assert chat.request("DELETE", f"messages/{waiting}").body["state"] == "cancelled"


def test_lost_connection_before_the_ack_is_resolved_by_the_receipt(chat: Chat) -> None:
    chat.application.simulator.arm("cut_before_ack", number=chat.number, count=1)
    found = chat.wait_for_state(chat.send("Bom dia"), "delivered", seconds=60)
    assert found["whatsappId"]
    assert texts(chat) == ["Bom dia"]


def test_message_that_waits_for_the_link_goes_out_when_it_is_back(chat: Chat) -> None:
    application = chat.application
    fault = application.simulator.arm("refuse_tcp", seconds=600)
    application.simulator.drop(number=chat.number)
    try:
        application.wait_for_state(chat.organization, "reconnecting", 30)
        waiting = chat.send("Bom dia")
        assert chat.message(waiting)["state"] == "queued"
    finally:
        application.simulator.clear_faults(fault)
    chat.wait_for_state(waiting, "delivered", seconds=90)
    assert texts(chat) == ["Bom dia"]


def test_cancelled_message_never_arrives(chat: Chat) -> None:
    assert chat.application.api("DELETE", chat.organization, "disconnect").status == 200
    waiting = chat.send("Bom dia")
    answer = chat.request("DELETE", f"messages/{waiting}")
    assert (answer.status, answer.body["state"]) == (200, "cancelled")
    assert chat.request("DELETE", f"messages/{waiting}").status == 409
    assert texts(chat) == []


def test_message_whose_time_has_passed_is_expired(chat: Chat) -> None:
    from datetime import UTC, datetime, timedelta

    assert chat.application.api("DELETE", chat.organization, "disconnect").status == 200
    soon = datetime.now(UTC) + timedelta(seconds=3)
    waiting = chat.send("Bom dia", expiresAt=soon.isoformat())
    found = chat.wait_for_state(waiting, "expired", seconds=30)
    assert found["reason"] == "expired"
    assert texts(chat) == []


def test_queued_messages_fail_when_another_number_is_linked(chat: Chat) -> None:
    from tests.support.linking import link

    assert chat.application.api("DELETE", chat.organization, "disconnect").status == 200
    waiting = chat.send("Bom dia")
    assert link(chat.application, chat.organization) != chat.number
    found = chat.wait_for_state(waiting, "failed")
    assert found["reason"] == "number_changed"
    assert texts(chat) == []


def test_silent_whatsapp_makes_the_outcome_unknown_and_others_go_on(
    application: Application, organization: int
) -> None:
    chat = Chat.start(application, organization)
    other = Chat.start(application, application.new_organizations("Beside a silent one")[0])
    for one in (chat, other):
        one.write("Oi")
        one.wait_for_event("message.received")
    application.simulator.arm("ack_lost", number=chat.number, count=1)
    application.simulator.arm("receipts_lost", number=chat.number, count=1)
    silent = chat.send("Bom dia")
    until(lambda: texts(chat) == ["Bom dia"], 20, "the message")
    other.wait_for_state(other.send("Boa tarde"), "delivered")
    found = chat.wait_for_state(silent, "unknown", seconds=60)
    assert found["reason"] == "timed_out"
    assert found["whatsappId"] == chat.received()[0]["id"], "the library's table names it"
    application.simulator.read(chat.person, chat.number, [found["whatsappId"]])
    chat.wait_for_state(silent, "read")
