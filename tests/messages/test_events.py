"""Each type of event in the log, as other software reads it."""

from __future__ import annotations

import base64
import io
from datetime import timedelta

import pytest
from django.utils import timezone
from PIL import Image

from tests.support.application import Application, until
from tests.support.messages_api import Chat

pytestmark = pytest.mark.servers


@pytest.fixture
def chat(application: Application, organization: int) -> Chat:
    chat = Chat.start(application, organization, name="Ana")
    chat.events()
    return chat


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (20, 20), "teal").save(file, "PNG")
    return file.getvalue()


def test_edit_and_deletion_name_the_message_that_they_are_about(chat: Chat) -> None:
    first = chat.write("Oi")
    received = chat.wait_for_event("message.received")["data"]
    chat.write(type="edit", edit={"target": {"id": first}, "body": "Olá"})
    edited = chat.wait_for_event("message.edited")["data"]
    assert (edited["id"], edited["text"]) == (received["id"], {"body": "Olá"})
    chat.write(type="delete", delete={"target": {"id": first}})
    assert chat.wait_for_event("message.deleted")["data"]["id"] == received["id"]


def test_reaction_is_added_and_removed(chat: Chat) -> None:
    chat.write("Oi")
    chat.wait_for_event("message.received")
    sent = chat.wait_for_state(chat.send("Bom dia"), "delivered")
    target = {"id": sent["whatsappId"], "from_me": True}
    chat.write(type="reaction", reaction={"target": target, "emoji": "👍"})
    added = chat.wait_for_event("reaction.added")["data"]
    assert (added["id"], added["emoji"]) == (sent["id"], "👍")
    chat.write(type="reaction", reaction={"target": target, "emoji": ""})
    assert chat.wait_for_event("reaction.removed")["data"]["id"] == sent["id"]


def test_message_written_on_the_phone_is_sent_elsewhere(chat: Chat) -> None:
    chat.application.simulator.say(chat.number, chat.person, "Já respondi")
    data = chat.wait_for_event("message.sent_elsewhere")["data"]
    assert data["text"] == {"body": "Já respondi"}
    assert data["to"]["phone"] == f"+{chat.person}"


def test_message_written_on_the_phone_is_a_sign_of_the_phone(chat: Chat) -> None:
    def last_seen() -> str:
        status = chat.application.api("GET", chat.organization, "status").body
        return str(status["phoneLastSeenAt"])

    long_ago = timezone.now() - timedelta(days=13)
    chat.application.manage(
        *("shell", "-v0", "-c"),
        "from connections.models import Connection;"
        f"Connection.objects.filter(pk={chat.organization})"
        f".update(phone_seen_at='{long_ago.isoformat()}')",
    )
    assert last_seen() == long_ago.isoformat()
    chat.write("Oi")
    chat.wait_for_event("message.received")
    assert last_seen() == long_ago.isoformat(), "what others write says nothing of the phone"
    chat.application.simulator.say(chat.number, chat.person, "Já respondi")
    until(lambda: last_seen() > long_ago.isoformat(), 10, "the sign")


def test_picture_is_fetched_and_ready(chat: Chat) -> None:
    data = base64.b64encode(picture()).decode()
    chat.write(type="image", image={"data": data, "mime_type": "image/png", "caption": "Bolo"})
    received = chat.wait_for_event("message.received")["data"]
    assert (received["type"], received["image"]["caption"]) == ("image", "Bolo")
    ready = chat.wait_for_event("media.ready")["data"]
    assert ready["id"] == received["media"]["id"]
    about = chat.request("GET", f"media/{ready['id']}").body
    assert (about["mimeType"], about["size"]) == ("image/png", len(picture()))


def test_picture_that_is_gone_at_whatsapp_has_failed(chat: Chat) -> None:
    chat.application.simulator.arm("media_error", count=1, status=404)
    data = base64.b64encode(picture()).decode()
    chat.write(type="image", image={"data": data, "mime_type": "image/png"})
    received = chat.wait_for_event("message.received")["data"]
    failed = chat.wait_for_event("media.failed", seconds=40)["data"]
    assert failed["id"] == received["media"]["id"]


def test_connection_that_drops_and_comes_back_is_in_the_log(chat: Chat) -> None:
    chat.application.simulator.drop(number=chat.number)
    states: list[str] = []

    def back() -> bool:
        states.extend(event["data"]["state"] for event in chat.events("connection.changed"))
        return states[-1:] == ["connected"]

    until(back, 40, "the link")
    assert states[0] == "reconnecting"
