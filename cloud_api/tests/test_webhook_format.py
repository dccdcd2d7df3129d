"""Webhooks in Meta's format: signed, and sent only where the challenge is known."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone
from pytest_django import Settings

from connections import long_poll
from events.models import Event, EventType
from messaging.tests.support.linked import ANA, Linked
from messaging.tests.support.records import message
from organizations.models import Organization
from outbound import limited_client
from webhooks.formats import FORMATS, TEST_TYPE
from webhooks.models import Endpoint
from webhooks.refusals import NotVerified, TooManyVerifications

# A request that waits for another server lends its database connection.
pytestmark = pytest.mark.django_db

CLOUD = FORMATS["cloud"]
VERIFY_TOKEN = "a token & more"


def endpoint(**fields: Any) -> Endpoint:
    defaults: dict[str, Any] = {"secret": CLOUD.new_secret(), "verify_token": VERIFY_TOKEN}
    return Endpoint(public_id="e" * 22, format="cloud", **(defaults | fields))


def signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_message_is_one_signed_request_in_ascii(organization: Organization) -> None:
    linked, to = Linked(organization), endpoint()
    linked.store(message(ANA, body="Olá 👋\u2028"))
    [event] = linked.events()
    [request] = CLOUD.requests(event, to)
    headers = CLOUD.sign(request, to, "id", timezone.now())
    assert headers == {"x-hub-signature-256": signature(to.secret, request.body)}
    assert request.headers == {"content-type": "application/json"}
    assert request.body.isascii()
    value = json.loads(request.body)["entry"][0]["changes"][0]["value"]
    assert value["messages"][0]["text"]["body"] == "Olá 👋\u2028"


def test_event_that_meta_does_not_have_is_skipped(organization: Organization) -> None:
    event = Event(organization=organization, type=EventType.CONNECTION_CHANGED, data={})
    assert CLOUD.requests(event, endpoint()) == []


@pytest.mark.parametrize("organization_id", [7, None])
def test_test_event_is_metas_sample(organization_id: int | None) -> None:
    event = Event(sequence=0, type=TEST_TYPE, data={})
    if organization_id is not None:
        event.organization_id = organization_id
    [request] = CLOUD.requests(event, endpoint())
    [entry] = json.loads(request.body)["entry"]
    assert entry["id"] == str(organization_id or 0)
    assert entry["changes"][0]["value"]["messages"][0]["text"]["body"] == "this is a text message"


def test_new_secret_signs_at_once(organization: Organization) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    to = endpoint(old_secret=CLOUD.new_secret(), old_secret_until=tomorrow)
    [request] = CLOUD.requests(Event(type=TEST_TYPE), to)
    headers = CLOUD.sign(request, to, "id", timezone.now())
    assert headers["x-hub-signature-256"] == signature(to.secret, request.body)


@contextmanager
def answering(status: int, text: str = "{challenge}") -> Iterator[tuple[str, list[Any]]]:
    """Answer a verification like this; yield the URL and the queries that were asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {name: value[0] for name, value in parse_qs(urlsplit(self.path).query).items()}
            asked.append(query)
            body = text.format(challenge=query["hub.challenge"]).encode()
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def private_addresses(settings: Settings) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE = True


@pytest.mark.parametrize("query", ["", "?key=secret"])
def test_address_that_knows_the_challenge_is_verified(query: str) -> None:
    with answering(200) as (url, asked):
        CLOUD.verify(endpoint(url=url + query))
    [found] = asked
    assert found["hub.mode"] == "subscribe"
    assert found["hub.verify_token"] == VERIFY_TOKEN
    assert found["hub.challenge"].isdigit()
    assert found.get("key") == ("secret" if query else None)


@pytest.mark.parametrize(
    ("status", "text"),
    [(200, ""), (200, "ok"), (200, "{challenge}0"), (403, "{challenge}"), (301, "{challenge}")],
)
def test_address_that_answers_something_else_is_refused(status: int, text: str) -> None:
    with answering(status, text) as (url, asked), pytest.raises(NotVerified) as refused:
        CLOUD.verify(endpoint(url=url))
    assert len(asked) == 1, "no redirect is followed"
    assert "127.0.0.1" not in refused.value.sentence


def test_address_that_cannot_be_reached_is_refused() -> None:
    with answering(200) as (url, _):
        pass
    with pytest.raises(NotVerified, match="not_verified"):
        CLOUD.verify(endpoint(url=url))


def test_address_is_not_asked_while_too_many_are_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limited_client, "AT_ONCE", 0)
    with answering(200) as (url, asked), pytest.raises(TooManyVerifications) as refused:
        CLOUD.verify(endpoint(url=url))
    assert (asked, refused.value.status, refused.value.retry_after) == ([], 429, 10)


def test_slot_of_the_request_is_lent_while_an_address_is_asked() -> None:
    lent: list[str] = []

    @contextmanager
    def lend() -> Iterator[None]:
        lent.append("lent")
        yield
        lent.append("back")

    token = long_poll.step_aside.set(lend)
    try:
        with answering(200) as (url, _):
            CLOUD.verify(endpoint(url=url))
    finally:
        long_poll.step_aside.reset(token)
    assert lent == ["lent", "back"]
