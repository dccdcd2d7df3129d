"""The socket of the page behind a link for the phone's owner."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from connections import actions
from connections.models import Connection
from connections.tests.support.fake_worker import FakeWorker
from connections.tests.support.owner_pages import (
    LINK,
    SOCKET,
    phone,
    staff,
)
from connections.tests.support.sockets import close_code, do, open_socket, refusal, watching
from organizations.access import Actor


@pytest.fixture
def world(transactional_db: None) -> None:
    """Sockets read in threads of their own."""


async def test_socket_sends_the_content_of_the_page(
    world: None, connection: Connection, alice: User, secret: str, hand: FakeWorker
) -> None:
    client = await do(phone, secret)
    async with watching(SOCKET, client) as socket:
        assert (await socket.receive_json_from(5))["stage"] == "ready"
        await do(client.post, LINK, {"ask": "connect"})
        await do(hand.show_code, connection)
        while (told := await socket.receive_json_from(5))["stage"] != "qr":
            assert told["stage"] in ("ready", "wait")
        assert told["qr"].startswith("data:image/svg+xml")
        assert set(told) == {
            *("type", "stage", "sentence", "attempt", "qr", "codeNumber", "codeCount", "code"),
            *("secondsLeft", "secondsInAll", "hint", "canCancel"),
            *("canType", "canScan", "canTryOtherSpelling"),
        }
        await do(actions.revoke_owner_link, connection.pk, Actor("alice", alice))
        assert await close_code(socket) == 4404


async def test_other_browser_is_closed_out_when_the_link_is_used(
    world: None, connection: Connection, secret: str, hand: FakeWorker
) -> None:
    mine, other = await do(phone, secret), await do(phone, secret)
    async with watching(SOCKET, other) as socket:
        assert (await socket.receive_json_from(5))["stage"] == "ready"
        await do(mine.post, LINK, {"ask": "connect"})
        assert await close_code(socket) == 4404


async def test_socket_without_a_valid_link_is_denied(world: None, secret: str, alice: User) -> None:
    client = await do(phone, secret)
    assert await refusal(open_socket(SOCKET)) == 4404
    assert await refusal(open_socket(SOCKET, await do(staff, alice))) == 4404
    for origin in ("https://evil.example", "http://[", "null", ""):
        accepted, _ = await open_socket(SOCKET, client, origin=origin).connect()
        assert not accepted
    # The cookie is no key to anything else.
    assert await refusal(open_socket("/ws/connections/", client)) == 4401


async def test_sockets_of_one_link_are_limited(world: None, secret: str) -> None:
    client = await do(phone, secret)
    sockets = [open_socket(SOCKET, client) for _ in range(10)]
    for socket in sockets:
        assert (await socket.connect())[0]
    assert await refusal(open_socket(SOCKET, client)) == 4429
    await sockets.pop().disconnect()
    async with watching(SOCKET, client) as socket:
        assert (await socket.receive_json_from(5))["stage"] == "ready"
    for socket in sockets:
        await socket.disconnect()
