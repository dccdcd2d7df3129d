"""Sending to a client that does not read makes the sender wait, and fills no memory."""

from __future__ import annotations

import asyncio
import zlib
from types import SimpleNamespace
from typing import Any

import pytest
from autobahn.exception import PayloadExceededError
from autobahn.websocket.compress import PerMessageDeflate, PerMessageDeflateOffer
from pytest_django import Settings
from twisted.web.http_headers import Headers

from whatsapp_orgs.server.flow_control import FlowControl
from whatsapp_orgs.server.serving import (
    MAX_MESSAGE_BYTES,
    BoundedRequest,
    BoundedServer,
    accept_compression,
)


class Client:
    """A fake of Daphne's protocol object: records the messages to send."""

    def __init__(self) -> None:
        self.flow_control = FlowControl()
        self.sent: list[dict[str, Any]] = []

    def handle_reply(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    async def wait_until_writable(self) -> None:
        await self.flow_control.wait()


def server_of(client: Client) -> BoundedServer:
    server = BoundedServer(application=None, endpoints=["none"])
    server.connections = {client: {}}
    return server


@pytest.mark.parametrize(
    "message",
    [
        {"type": "websocket.send", "text": "{}"},
        {"type": "http.response.body", "body": b"a line", "more_body": True},
    ],
)
async def test_full_send_buffer_makes_the_sender_wait(message: dict[str, Any]) -> None:
    client = Client()
    server = server_of(client)
    await server.handle_reply(client, message)
    client.flow_control.pauseProducing()
    sending = asyncio.create_task(server.handle_reply(client, message))
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(client.sent) == 1
    client.flow_control.resumeProducing()
    await sending
    assert len(client.sent) == 2


async def test_client_that_disconnects_releases_the_sender() -> None:
    client = Client()
    server = server_of(client)
    client.flow_control.pauseProducing()
    message = {"type": "websocket.send", "text": "{}"}
    sending = asyncio.create_task(server.handle_reply(client, message))
    await asyncio.sleep(0)
    client.flow_control.stopProducing()
    async with asyncio.timeout(5):
        await sending


async def test_close_message_does_not_wait_for_a_slow_client() -> None:
    client = Client()
    client.flow_control.pauseProducing()
    message = {"type": "websocket.close", "code": 4401}
    async with asyncio.timeout(5):
        await server_of(client).handle_reply(client, message)
    assert client.sent == [message]


@pytest.mark.parametrize(("trusted", "network"), [(True, "203.0.113.9"), (False, "10.0.0.1")])
def test_uploads_are_counted_by_the_forwarded_address_of_a_trusted_proxy(
    settings: Settings, trusted: bool, network: str
) -> None:
    settings.TRUST_PROXY = trusted
    peer = SimpleNamespace(host="10.0.0.1")
    request: Any = object.__new__(BoundedRequest)
    request.channel = SimpleNamespace(getPeer=lambda: peer)
    request.requestHeaders = Headers({b"X-Forwarded-For": [b"198.51.100.1, 203.0.113.9"]})
    assert request._network() == network


def test_messages_are_compressed_for_browsers_and_a_bomb_is_not_unpacked() -> None:
    # autobahn has no types.
    offer: Any = PerMessageDeflateOffer
    extension: Any = PerMessageDeflate
    offered = accept_compression([offer()])
    assert offered.no_context_takeover and offered.request_no_context_takeover
    server = extension.create_from_offer_accept(True, offered)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = packer.compress(bytes(MAX_MESSAGE_BYTES * 100)) + packer.flush(zlib.Z_SYNC_FLUSH)
    server.start_decompress_message()
    with pytest.raises(PayloadExceededError):
        server.decompress_message_data(bomb[:-4])
    assert accept_compression([offer(accept_no_context_takeover=False)]) is None
    assert accept_compression([]) is None
