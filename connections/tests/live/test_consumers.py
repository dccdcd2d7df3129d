"""The live page's socket, through the whole ASGI application."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from connections import actions
from connections.models import Connection
from connections.tests.support.fake_worker import CODE, FakeWorker
from connections.tests.support.sockets import (
    close_code,
    do,
    log_in,
    open_socket,
    page_of,
    refusal,
    watching,
)
from organizations.access import Actor
from organizations.models import Membership, Organization

pytestmark = pytest.mark.django_db(transaction=True)

SESSION_ENDED, NOT_FOUND = 4401, 4404
ALICE = Actor("alice")


@pytest.fixture
def shown(connection: Connection, hand: FakeWorker) -> Connection:
    """A connection whose code waits to be scanned."""
    actions.request_reconnect(connection.pk, ALICE)
    hand.show_code(connection)
    return connection


async def test_snapshot_is_sent_first_and_after_each_change(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    async with watching(page_of(connection), await do(log_in, alice)) as socket:
        first = await socket.receive_json_from()
        assert (first["type"], first["state"]) == ("snapshot", "disconnected")
        await do(actions.request_reconnect, connection.pk, ALICE)
        told = await socket.receive_json_from()
        assert told["state"] == "connecting"
        assert told["history"][0]["actor"] == "alice"


async def test_opening_an_owner_link_is_told_at_once(connection: Connection, alice: User) -> None:
    link, _secret = await do(actions.make_owner_link, connection.pk, Actor("alice", alice))
    async with watching(page_of(connection), await do(log_in, alice)) as socket:
        assert (await socket.receive_json_from())["ownerLink"]["state"] == "new"
        await do(actions.open_owner_link, link, None)
        assert (await socket.receive_json_from())["ownerLink"]["state"] == "opened"


async def test_operator_gets_the_code(shown: Connection, alice: User) -> None:
    async with watching(page_of(shown), await do(log_in, alice)) as socket:
        told = await socket.receive_json_from()
        assert told["panel"] == "code"
        assert told["pairing"]["qr"].startswith("data:image/svg+xml;base64,")
        assert 0 < told["pairing"]["secondsLeft"] <= told["pairing"]["secondsInAll"]


async def test_viewer_gets_no_code_and_no_buttons(shown: Connection, bob: User) -> None:
    async with watching(page_of(shown), await do(log_in, bob)) as socket:
        told = await socket.receive_json_from()
        assert (told["state"], told["panel"]) == ("awaiting_scan", "hidden")
        assert told["pairing"] is None
        assert not told["canReconnect"] and not told["canDisconnect"]
        assert CODE not in str(told) and "data:image" not in str(told)


async def test_client_message_gets_a_snapshot_with_a_dead_worker(
    shown: Connection, alice: User, hand: FakeWorker
) -> None:
    async with watching(page_of(shown), await do(log_in, alice)) as socket:
        await socket.receive_json_from()
        await do(hand.die)
        await socket.send_json_to({})
        told = await socket.receive_json_from()
        assert (told["panel"], told["pairing"]) == ("offline", None)


async def test_outsider_gets_close_code_not_found(connection: Connection, charlie: User) -> None:
    socket = open_socket(page_of(connection), await do(log_in, charlie))
    assert await refusal(socket) == NOT_FOUND


async def test_anonymous_gets_close_code_unauthenticated(connection: Connection) -> None:
    assert await refusal(open_socket(page_of(connection), Client())) == SESSION_ENDED


async def test_other_origin_with_our_cookies_is_denied(connection: Connection, alice: User) -> None:
    socket = open_socket(
        page_of(connection), await do(log_in, alice), origin="https://evil.example"
    )
    accepted, _ = await socket.connect()
    assert not accepted


async def test_lost_membership_closes_the_socket(shown: Connection, alice: User) -> None:
    async with watching(page_of(shown), await do(log_in, alice)) as socket:
        await socket.receive_json_from()
        await do(Membership.objects.filter(user=alice).delete)
        await do(actions.request_disconnect, shown.pk, ALICE)
        assert await close_code(socket) == NOT_FOUND


async def test_logout_closes_the_socket(shown: Connection, alice: User) -> None:
    client = await do(log_in, alice)
    async with watching(page_of(shown), client) as socket:
        await socket.receive_json_from()
        await do(client.logout)
        await socket.send_json_to({})
        assert await close_code(socket) == SESSION_ENDED


async def test_change_of_another_organization_is_not_sent(
    connection: Connection, alice: User, other_organization: Organization
) -> None:
    other = await do(Connection.objects.of, other_organization)
    async with watching(page_of(connection), await do(log_in, alice)) as socket:
        await socket.receive_json_from()
        await do(actions.request_reconnect, other.pk, ALICE)
        assert await socket.receive_nothing()
