"""A text with a link shows the recipient what is behind it, or just arrives."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from messaging.tests.support.file_server import FileServer, serving_files
from tests.support.application import Application
from tests.support.messages_api import Chat

HTML = "text/html; charset=utf-8"


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """A product that may fetch from loopback."""
    with Application(
        tmp_path_factory.mktemp("previews"),
        WEBHOOKS_ALLOW_PRIVATE="true",
        WEBHOOKS_ALLOWED_HOSTS="127.0.0.1",
    ) as running:
        yield running


@pytest.fixture
def site() -> Iterator[FileServer]:
    with serving_files() as server:
        yield server


def page(title: str, picture: str = "") -> bytes:
    image = f'<meta property="og:image" content="{picture}">' if picture else ""
    about = '<meta name="description" content="Aberto todo dia">'
    return f"<head><title>{title}</title>{about}{image}</head>".encode()


def post(chat: Chat, text: dict[str, Any], **fields: Any) -> str:
    """Send a text. Return its id."""
    message = {"to": f"+{chat.person}", "type": "text", "text": text, **fields}
    answer = chat.request("POST", "messages", message)
    assert answer.status == 202, answer
    return str(answer.body["id"])


def send(chat: Chat, body: str, **text: object) -> dict[str, object]:
    """Send a text. Return what the person got, once it is delivered."""
    chat.wait_for_state(post(chat, {"body": body, **text}), "delivered")
    got: dict[str, object] = chat.received()[-1]["text"]
    return got


def test_link_arrives_with_its_preview(chat: Chat, site: FileServer) -> None:
    picture = BytesIO()
    Image.new("RGB", (800, 400), "red").save(picture, "PNG")
    site.add("/a.png", picture.getvalue(), "image/png")
    link = site.add("/loja", page("Padaria \u202eda Ana", "a.png"), HTML)
    body = f"Veja {link}."
    got = send(chat, body, preview_url=True)
    preview = got["preview"]
    assert isinstance(preview, dict)
    with Image.open(BytesIO(base64.b64decode(preview["thumbnail"]))) as small:
        assert (small.format, small.size) == ("JPEG", (160, 80))
    texts = {"url": link, "title": "Padaria da Ana", "description": "Aberto todo dia"}
    assert got == {"body": body, "preview": texts | {"thumbnail": preview["thumbnail"]}}
    assert len(site.asked) == 2
    assert "Padaria" not in chat.application.log_text()
    # The same link is not fetched again.
    assert send(chat, body, preview_url=True) == got
    assert len(site.asked) == 2


def test_answer_arrives_with_its_preview(chat: Chat, site: FileServer) -> None:
    link = site.add("/loja", page("Padaria"), HTML)
    chat.write("Onde fica?")
    asked = chat.wait_for_event("message.received")["data"]
    text = {"body": link, "preview_url": True}
    chat.wait_for_state(post(chat, text, context={"messageId": asked["id"]}), "delivered")
    (got,) = chat.received()
    assert got["text"]["preview"]["title"] == "Padaria"
    assert got["context"]["id"] == asked["whatsappId"]


def test_text_without_the_wish_is_sent_without_a_preview(chat: Chat, site: FileServer) -> None:
    link = site.add("/loja", page("Padaria"), HTML)
    assert send(chat, link) == {"body": link}
    assert send(chat, link, preview_url=False) == {"body": link}
    assert send(chat, "no link", preview_url=True) == {"body": "no link"}
    assert site.asked == []


@pytest.mark.parametrize("path", ["missing", "not-a-page", "private", "closed"])
def test_text_is_sent_when_there_is_no_preview(chat: Chat, site: FileServer, path: str) -> None:
    site.add("/not-a-page", b"%PDF-1.7", "application/pdf")
    others = {"private": "http://10.0.0.1/", "closed": "http://127.0.0.1:1/"}
    link = others.get(path, f"{site.url}/{path}")
    assert send(chat, link, preview_url=True) == {"body": link}
    assert "a link has no preview" in chat.application.log_text()
    assert link not in chat.application.log_text()


def test_site_that_never_answers_delays_only_its_own_organization(
    application: Application,
) -> None:
    """The text leaves without a preview; meanwhile another organization's leaves at once."""
    slow, other = (
        Chat.start(application, pk, name="Ana")
        for pk in application.new_organizations("Slow", "Other")
    )
    asked, free = threading.Event(), threading.Event()

    def wait() -> None:
        asked.set()
        free.wait(60)

    with serving_files(wait) as site:
        try:
            link = site.add("/loja", page("Padaria"), HTML)
            waiting = post(slow, {"body": link, "preview_url": True})
            assert asked.wait(20)
            other.wait_for_state(other.send("Oi"), "delivered")
            slow.wait_for_state(waiting, "delivered")
            assert slow.received()[-1]["text"] == {"body": link}
        finally:
            free.set()
