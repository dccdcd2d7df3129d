"""Chats: which addresses may be used, and how messages get there."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from apprise.plugins import telegram
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from connections.lifecycle import Reason
from connections.tests.support.fake_worker import FakeWorker
from notices import chats
from notices.actions import addresses
from notices.chats import ChatRefused
from notices.failures import Failure, SendingFailed
from notices.messages import build_chat_message
from notices.models import Address, Notice, Trouble
from notices.refusals import NoticeRefused, Problem
from notices.tests.support.links import happens, link
from notices.tests.support.people import send_all
from notices.tests.support.time import let_pass
from organizations.access import Actor
from organizations.models import Organization

pytestmark = pytest.mark.sqlite_only


class Chat:
    """A chat service on loopback. `status`: what it answers."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.status, self.headers = 200, dict[str, str]()
        self.url = ""


@pytest.fixture
def chat(settings: Settings) -> Iterator[Chat]:
    settings.WEBHOOKS_ALLOW_PRIVATE = True
    with listening() as found:
        yield found


@contextmanager
def listening() -> Iterator[Chat]:
    chat = Chat()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            chat.paths.append(self.path)
            chat.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(chat.status)
            for name, value in chat.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        chat.url = f"json://127.0.0.1:{server.server_port}"
        try:
            yield chat
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "dbus://",
        "syslog://",
        "windows://",
        "mailto://user:password@example.com",
        "smpp://user:password@localhost/0123456/0123457",
        "https://crm.example.com/hook",
        "discord://123456789012345678/abcdefghijklmnopqrst?template=/etc/passwd",
        "jsons://crm.example.com/hook?+Host=other.example.com",
        "jsons://crm.example.com/hook?method=DELETE",
        "json://crm.example.com/hook",
        "jsons://127.0.0.1/hook",
        "ntfys://10.0.0.1/topic",
        "gotifys://metadata.internal/token",
        "nonsense",
        "https://[",
        "tgram://",
        "",
    ],
)
def test_other_services_parameters_and_hosts_are_refused(url: str) -> None:
    with pytest.raises(ChatRefused):
        chats.label_of(url)


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("https://discord.com/api/webhooks/123456789012345678/abcdefghijklmnopqrst", "Discord"),
        ("discord://123456789012345678/abcdefghijklmnopqrst", "Discord"),
        ("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "Slack"),
        ("tgram://123456789:abcdefg_hijklmnop/12315544", "Telegram"),
        (
            "https://chat.googleapis.com/v1/spaces/AAAA/messages?key=abc&token=def",
            "Google Chat",
        ),
        ("ntfys://ntfy.sh/alarm-of-acme", "ntfy (ntfy.sh)"),
        (
            "mmosts://chat.example.com/3ccdd113474722377935511fc85d3dd4",
            "Mattermost (chat.example.com)",
        ),
        ("jsons://crm.example.com:8443/hook", "JSON (crm.example.com:8443)"),
    ],
)
def test_usual_services_are_taken_and_named_without_their_secrets(url: str, label: str) -> None:
    assert chats.label_of(url) == label


@pytest.mark.django_db
@pytest.mark.parametrize(
    "url",
    [
        "tgram://123456789:abcdefg_hijklmnop/111/222",
        "ntfys://ntfy.sh/alarm-of-acme/alarm-of-beta",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/general/alarms",
    ],
)
def test_new_address_of_several_chats_is_refused(url: str, alice: User) -> None:
    with pytest.raises(NoticeRefused) as refused:
        addresses.add(alice, Address.Kind.CHAT, url, Actor("a test"))
    assert refused.value.problem is Problem.SEVERAL_CHATS


def test_stored_address_of_several_chats_is_sent_to(monkeypatch: pytest.MonkeyPatch) -> None:
    targets: list[int] = []

    def notify(self: telegram.NotifyTelegram, **message: object) -> bool:
        targets.append(len(self.targets))
        return True

    monkeypatch.setattr(telegram.NotifyTelegram, "notify", notify)
    chats.send("tgram://123456789:abcdefg_hijklmnop/111/222", "Title", "Body")
    assert targets == [2]


def test_no_other_plugin_is_ever_imported() -> None:
    for name in ("dbus", "syslog", "smpp", "windows", "email", "mqtt"):
        assert f"apprise.plugins.{name}" not in sys.modules


@pytest.mark.django_db(transaction=True)
def test_chat_is_told_without_mentions_or_markup(
    hand: FakeWorker, organization: Organization, alice: User, chat: Chat
) -> None:
    organization.name = "@everyone <!channel> *Acme* [x](http://evil.example.com)"
    organization.save()
    secret = f"{chat.url}/token-of-the-chat"
    address = addresses.add(alice, Address.Kind.CHAT, secret, Actor("a test"))
    addresses.confirm(address)
    happens(link(hand, organization), Reason.BANNED)
    send_all()
    (told,) = chat.received
    text = told["title"] + told["message"]
    assert "Acme" in text
    for sign in ("@", "<", "*", "](", "evil.example.com"):
        assert sign not in text.replace("https://orgs.example.com", "")
    page = f"https://orgs.example.com/admin/connections/connection/{organization.pk}/change/"
    assert told["message"].endswith(page)
    assert (
        "token-of-the-chat" not in Address.objects.values_list("target", flat=True).query.__str__()
    )
    assert chat.paths == ["/token-of-the-chat"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("url", "room"),
    [
        ("discord://123456789012345678/abcdefghijklmnopqrst", 2000),
        ("tgram://123456789:abcdefg_hijklmnop/12315544", 4000),
        (f"pover://{30 * 'u'}@{30 * 'a'}", 1024),
        ("ntfys://ntfy.sh/alarm-of-acme", 4000),
    ],
)
def test_list_names_as_many_as_the_service_has_room_for(url: str, room: int, alice: User) -> None:
    address = Address(user=alice, kind="chat", target=url)
    notice = Notice(user=alice, address=address, kind="trouble", cause="unreachable")
    now = timezone.now()
    troubles = [
        Trouble(
            organization=Organization(pk=number, name=f"Organização {number} de São Paulo"),
            kind="connection",
            level=1,
            reason="unreachable",
            began_at=now,
        )
        for number in range(1, 121)
    ]
    found = build_chat_message(notice, troubles)
    assert room - 120 < len(f"{found.title}\r\n{found.body}".encode()) <= room
    *_, last, more, _step, link = found.body.splitlines()
    named = found.body.count("Organização")
    assert last.startswith(f"Organização {named} ")
    assert more == f"and {120 - named} more"
    assert link == "https://orgs.example.com/admin/connections/"
    short = build_chat_message(notice, troubles[:3])
    assert short.body.count("Organização") == 3 and "more" not in short.body


@pytest.mark.django_db(transaction=True)
def test_failure_is_named_and_tried_again_until_it_is_given_up(alice: User, chat: Chat) -> None:
    chat.status = 500
    addresses.add(alice, Address.Kind.CHAT, f"{chat.url}/a", Actor("a test"))
    send_all()
    notice = Notice.objects.get()
    assert (notice.state, notice.failure, notice.status) == ("waiting", "chat_refused", 500)
    send_all()
    assert len(chat.received) == 1
    for _ in range(10):
        let_pass(hours=15)
        send_all()
    assert len(chat.received) == 8
    assert Notice.objects.get().state == Notice.State.FAILED


def test_redirect_and_missing_server_are_failures_and_nothing_is_followed(chat: Chat) -> None:
    with listening() as other:
        chat.status = 307
        chat.headers = {"Location": other.url.replace("json", "http")}
        with pytest.raises(SendingFailed) as caught:
            chats.send(f"{chat.url}/a", "Title", "Body")
        assert (caught.value.failure, caught.value.status) == (Failure.CHAT_REFUSED, 307)
        assert other.received == []
    with pytest.raises(SendingFailed) as caught:
        chats.send(f"{other.url}/a", "Title", "Body")
    assert caught.value.failure == Failure.CHAT_UNREACHABLE


def test_host_that_is_private_by_now_is_not_connected_to(chat: Chat, settings: Settings) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE = False
    with pytest.raises(SendingFailed) as caught:
        chats.send(f"{chat.url}/a", "Title", "Body")
    assert caught.value.failure == Failure.CHAT_UNREACHABLE
    assert chat.received == []
