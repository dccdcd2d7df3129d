"""WebSockets through the whole ASGI application."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.test import Client

from connections.models import Connection
from whatsapp_orgs.asgi import application

ALL = "/ws/connections/"
HERE = "http://localhost"
ADDRESS = "192.0.2.7"


def page_of(connection: Connection) -> str:
    return f"/ws/organizations/{connection.pk}/connection/"


def log_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def open_socket(
    path: str,
    client: Client | None = None,
    *,
    token: str | None = None,
    authorization: bytes | None = None,
    origin: str | None = HERE,
    address: str = ADDRESS,
) -> WebsocketCommunicator:
    """Return an unconnected socket: of a browser (session, Origin), or with a token."""
    headers = [(b"host", b"localhost")]
    if client is not None:
        cookies = client.cookies.items()
        cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in cookies)
        headers.append((b"cookie", cookie.encode()))
    if token is not None:
        authorization = f"Bearer {token}".encode("latin-1")
    if authorization is not None:
        headers.append((b"authorization", authorization))
    if origin is not None:
        headers.append((b"origin", origin.encode("latin-1")))
    socket = WebsocketCommunicator(application, path, headers)
    socket.scope["client"] = (address, 50000)
    return socket


@asynccontextmanager
async def watching(
    path: str, client: Client | None = None, **shown: Any
) -> AsyncIterator[WebsocketCommunicator]:
    """Open a socket, which must be accepted; close it at the end."""
    socket = open_socket(path, client, **shown)
    accepted, _ = await socket.connect()
    assert accepted
    yield socket
    await socket.disconnect()


async def close_code(socket: WebsocketCommunicator) -> int:
    """Return the code with which the server closes a socket; skip the messages before it."""
    while (message := await socket.receive_output(5))["type"] != "websocket.close":
        assert message["type"] == "websocket.send"
    return int(message["code"])


async def refusal(socket: WebsocketCommunicator) -> int:
    """Connect, and return the code with which the server closes the socket."""
    accepted, _ = await socket.connect()
    assert accepted
    return await close_code(socket)


async def do(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    return await sync_to_async(function)(*arguments, **named)
