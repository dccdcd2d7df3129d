"""What is sent to a client that does not read waits with the sender, not in memory."""

from __future__ import annotations

import asyncio
from typing import Any

from whatsapp_orgs.server.serving import BoundedServer, Readiness


class Client:
    """What Daphne's protocol is to its server, as far as sending goes."""

    def __init__(self) -> None:
        self.readiness = Readiness()
        self.sent: list[dict[str, Any]] = []

    def handle_reply(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


def server_of(client: Client) -> BoundedServer:
    server = BoundedServer(application=None, endpoints=["none"])
    server.connections = {client: {}}
    return server


async def test_a_full_buffer_makes_the_sender_wait() -> None:
    client = Client()
    server = server_of(client)
    message = {"type": "websocket.send", "text": "{}"}
    await server.handle_reply(client, message)
    client.readiness.pauseProducing()
    sending = asyncio.create_task(server.handle_reply(client, message))
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(client.sent) == 1
    client.readiness.resumeProducing()
    await sending
    assert len(client.sent) == 2


async def test_a_client_that_is_gone_holds_no_one_up() -> None:
    client = Client()
    server = server_of(client)
    client.readiness.pauseProducing()
    message = {"type": "websocket.send", "text": "{}"}
    sending = asyncio.create_task(server.handle_reply(client, message))
    await asyncio.sleep(0)
    client.readiness.stopProducing()
    async with asyncio.timeout(5):
        await sending


async def test_a_close_does_not_wait_for_the_reader() -> None:
    client = Client()
    client.readiness.pauseProducing()
    message = {"type": "websocket.close", "code": 4401}
    async with asyncio.timeout(5):
        await server_of(client).handle_reply(client, message)
    assert client.sent == [message]
