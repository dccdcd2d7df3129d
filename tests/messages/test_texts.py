"""A text goes out and an answer comes in, with every state and event on the way."""

from __future__ import annotations

import pytest

from tests.support.application import Application, until
from tests.support.messages_api import Chat

pytestmark = pytest.mark.servers


@pytest.fixture
def chat(application: Application, organization: int) -> Chat:
    return Chat.start(application, organization, name="Ana")


def test_text_is_sent_delivered_and_read(chat: Chat) -> None:
    chat.events()
    message = chat.send("Bom dia! 🥐")
    found = chat.wait_for_state(message, "delivered")
    assert [got["text"]["body"] for got in chat.received()] == ["Bom dia! 🥐"]
    assert found["waId"] == chat.person
    assert found["whatsappId"] == chat.received()[0]["id"]
    states = [event["data"]["state"] for event in chat.events("message.status")]
    assert states == ["sent", "delivered"]
    assert "Bom dia" not in chat.application.log_text()
    assert chat.person not in chat.application.log_text()


def test_received_text_is_an_event_with_number_and_name(chat: Chat) -> None:
    chat.events()
    whatsapp_id = chat.write("Vocês abrem amanhã?")
    data = chat.wait_for_event("message.received")["data"]
    assert data["text"] == {"body": "Vocês abrem amanhã?"}
    assert (data["type"], data["whatsappId"]) == ("text", whatsapp_id)
    assert data["from"]["phone"] == f"+{chat.person}"
    assert data["from"]["name"] == "Ana"


def test_answer_names_the_message_that_it_answers(chat: Chat) -> None:
    chat.events()
    chat.write("Vocês abrem amanhã?")
    asked = chat.wait_for_event("message.received")["data"]
    answer = chat.send("Sim, às 7.", context={"messageId": asked["id"]})
    chat.wait_for_state(answer, "delivered")
    quoted = {"id": asked["whatsappId"], "text": "Vocês abrem amanhã?"}
    assert chat.received()[0]["context"] == quoted


def test_texts_to_one_person_arrive_in_their_order(chat: Chat) -> None:
    chat.write("Oi")
    chat.wait_for_event("message.received")
    texts = [f"Nummer {number}" for number in range(5)]
    for text in texts:
        chat.send(text)
    until(lambda: len(chat.received()) == 5, 30, "five texts")
    assert [got["text"]["body"] for got in chat.received()] == texts


def test_read_mark_reaches_the_person(chat: Chat) -> None:
    whatsapp_id = chat.write("Vocês abrem amanhã?")
    received = chat.wait_for_event("message.received")["data"]
    answer = chat.request("POST", f"messages/{received['id']}/read", {})
    assert (answer.status, answer.body) == (200, {"success": True})

    def read() -> bool:
        sent = chat.application.simulator.sent(chat.number)
        return any(found["id"] == whatsapp_id and found["read_at"] for found in sent)

    until(read, 10, "the read mark")


def test_typing_is_shown_to_a_known_person_only(chat: Chat) -> None:
    chat.write("Oi")
    chat.wait_for_event("message.received")
    assert chat.request("POST", "typing", {"to": f"+{chat.person}"}).status == 200
    refused = chat.request("POST", "typing", {"to": "+5511900000001"})
    assert (refused.status, refused.body["code"]) == (400, "unknown_contact")
