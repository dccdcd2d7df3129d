"""From which pages a socket may be opened: connections', and the owner's-link page's."""

from __future__ import annotations

from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from connections import actions
from connections.models import Connection
from connections.tests.support.sockets import ALL, do, log_in
from organizations.access import Actor
from organizations.actions import create_token
from whatsapp_orgs.asgi import application

OWNER = "/ws/link/"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=[ALL, OWNER])
def opened(request: Any, connection: Connection, alice: User) -> tuple[str, Client]:
    """A socket's path, and a browser that may open it."""
    if request.param == ALL:
        return ALL, log_in(alice)
    client = Client()
    secret = actions.make_owner_link(connection.pk, Actor("alice", alice))[1]
    assert client.post("/link/", {"link": f"http://localhost/link/#{secret}"}).status_code == 302
    return OWNER, client


async def is_let_in(opened: tuple[str, Client], proto: str, origin: str) -> bool:
    path, client = opened
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    headers = [
        (b"host", b"localhost"),
        (b"cookie", cookies.encode()),
        (b"origin", origin.encode()),
        (b"x-forwarded-proto", proto.encode()),
    ]
    socket = WebsocketCommunicator(application, path, headers)
    accepted, _ = await socket.connect()
    await socket.disconnect()
    return accepted


@pytest.mark.parametrize(
    ("proto", "origin", "accepted"),
    [
        ("http", "http://localhost", True),
        ("https", "https://localhost", True),
        ("https", "https://localhost:443", True),
        ("https", "http://localhost", False),
        ("http", "http://localhost:8001", False),
        ("http", "http://127.0.0.1", False),
        ("http", "http://page.localhost", False),
        ("http", "null", False),
        ("http", "https://trusted.example", True),
        ("http", "http://trusted.example", False),
    ],
)
async def test_socket_is_accepted_from_allowed_origins_only(
    settings: Settings, opened: tuple[str, Client], proto: str, origin: str, accepted: bool
) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://trusted.example"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert await is_let_in(opened, proto, origin) is accepted


async def test_token_without_an_origin_is_accepted(connection: Connection, alice: User) -> None:
    _, text = await do(create_token, alice, "mine", Actor("alice", alice))
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {text}".encode())]
    socket = WebsocketCommunicator(application, ALL, headers)
    assert (await socket.connect())[0]
    await socket.disconnect()
