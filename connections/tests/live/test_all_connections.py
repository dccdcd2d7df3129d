"""The socket that tells of all connections; and bursts and slow readers, of any socket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer, get_channel_layer
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from connections import actions
from connections.broadcast import ALL_CONNECTIONS_GROUP, connection_group
from connections.live import live_consumer
from connections.models import Connection
from connections.tests.support.fake_worker import CODE, NUMBER, FakeWorker
from connections.tests.support.sockets import ALL, do, log_in, open_socket, page_of
from connections.tests.support.sockets import watching as open_and_watch
from organizations.access import Actor
from organizations.actions import rename_organization, set_active
from organizations.models import Membership, Organization

pytestmark = pytest.mark.django_db(transaction=True)

ALICE = Actor("alice")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_consumer, "ACCESS_CHECK_SECONDS", 0.05)


async def first(socket: WebsocketCommunicator) -> list[dict[str, Any]]:
    """The connections of the first message."""
    told = await socket.receive_json_from()
    assert told["type"] == "connections"
    found: list[dict[str, Any]] = told["connections"]
    return found


async def test_first_message_has_all_visible_connections(
    connection: Connection, other_organization: Organization, alice: User, hand: FakeWorker
) -> None:
    async with open_and_watch(ALL, await do(log_in, alice)) as socket:
        (told,) = await first(socket)
    assert {name: told[name] for name in ("organization", "name", "state", "reason")} == {
        "organization": connection.pk,
        "name": "Acme",
        "state": "disconnected",
        "reason": "never_connected",
    }
    assert set(told) == {
        *("organization", "name", "section", "outage", "state", "reason", "panel", "panelName"),
        *("sentence", "detail", "nextStep", "step", "number", "numberText", "since", "retryAt"),
        *("mayOperate", "canReconnect"),
    }
    assert told["number"] is None and told["since"] is None
    assert (told["section"], told["panelName"]) == ("never_linked", "Never linked")
    assert (told["step"], told["outage"]) == ("reconnect", False)


async def test_superuser_gets_all_connections_and_an_outsider_none(
    connection: Connection, other_organization: Organization, admin_user: User
) -> None:
    stranger = await do(User.objects.create, username="stranger")
    async with open_and_watch(ALL, await do(log_in, admin_user)) as socket:
        assert [told["name"] for told in await first(socket)] == ["Acme", "Globex"]
    async with open_and_watch(ALL, await do(log_in, stranger)) as socket:
        assert await first(socket) == []
        await do(actions.request_reconnect, connection.pk, ALICE)
        assert await socket.receive_nothing()


async def test_each_change_of_a_visible_connection_is_sent(
    connection: Connection, other_organization: Organization, bob: User, hand: FakeWorker
) -> None:
    other = await do(Connection.objects.of, other_organization)
    async with open_and_watch(ALL, await do(log_in, bob)) as socket:
        await first(socket)
        await do(actions.request_reconnect, other.pk, ALICE)
        await do(actions.request_reconnect, connection.pk, ALICE)
        told = await socket.receive_json_from()
        assert told["type"] == "connection"
        assert told["connection"]["organization"] == connection.pk
        assert told["connection"]["state"] == "connecting"
        await do(hand.link, connection)
        states: list[str] = []
        while not states or states[-1] != "connected":
            told = await socket.receive_json_from()
            assert CODE not in str(told)
            states.append(told["connection"]["state"])
        assert told["connection"]["number"] == NUMBER


async def test_client_message_gets_all_connections_again(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    await do(actions.request_reconnect, connection.pk, ALICE)
    async with open_and_watch(ALL, await do(log_in, alice)) as socket:
        assert (await first(socket))[0]["reason"] != "worker_offline"
        await do(hand.die)
        await socket.send_json_to({})
        assert (await first(socket))[0]["reason"] == "worker_offline"


async def test_change_without_a_notification_is_found_by_the_recheck(
    connection: Connection, alice: User, hand: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_consumer, "RECHECK_SECONDS", 0.05)
    await do(actions.request_reconnect, connection.pk, ALICE)
    client = await do(log_in, alice)
    async with (
        open_and_watch(ALL, client) as all_of_them,
        open_and_watch(page_of(connection), client) as one,
    ):
        await first(all_of_them)
        assert (await one.receive_json_from())["panel"] == "preparing"
        await do(hand.die)
        told = await all_of_them.receive_json_from()
        assert told["connection"]["reason"] == "worker_offline"
        assert (await one.receive_json_from())["panel"] == "offline"
        assert await one.receive_nothing(timeout=0.3)


async def test_changed_memberships_and_organizations_are_sent(
    connection: Connection, other_organization: Organization, alice: User
) -> None:
    async with open_and_watch(ALL, await do(log_in, alice)) as socket:
        await first(socket)
        membership = await do(
            Membership.objects.create, user=alice, organization=other_organization
        )
        told = await socket.receive_json_from()
        assert (told["type"], told["connection"]["name"]) == ("connection", "Globex")
        await do(rename_organization, other_organization, "Initech", ALICE)
        assert (await socket.receive_json_from())["connection"]["name"] == "Initech"
        await do(set_active, other_organization, False, ALICE)
        told = await socket.receive_json_from()
        assert told["connection"]["reason"] == "organization_inactive"
        await do(membership.delete)
        gone = {"type": "removed", "organization": other_organization.pk}
        assert await socket.receive_json_from() == gone
        await do(actions.request_reconnect, connection.pk, ALICE)
        told = await socket.receive_json_from()
        assert told["connection"]["organization"] == connection.pk


async def test_changed_role_is_sent(connection: Connection, alice: User, bob: User) -> None:
    async with (
        open_and_watch(ALL, await do(log_in, alice)) as operator,
        open_and_watch(ALL, await do(log_in, bob)) as viewer,
    ):
        assert [told["mayOperate"] for told in await first(operator)] == [True]
        assert [told["canReconnect"] for told in await first(viewer)] == [False]
        places = Membership.objects.filter(user=bob)
        await do(places.update, role=Membership.Role.OPERATOR)
        told = (await viewer.receive_json_from())["connection"]
        assert (told["mayOperate"], told["canReconnect"]) == (True, True)
        assert await operator.receive_nothing()


def test_number_of_queries_does_not_depend_on_the_organizations(
    alice: User, connection: Connection, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    from connections.live.consumers import ConnectionsConsumer
    from organizations.access import for_user

    for number in range(30):
        extra = Organization.objects.create(name=f"Number {number}")
        Membership.objects.create(user=alice, organization=extra)
        Connection.objects.of(extra)
    consumer: Any = ConnectionsConsumer()
    consumer.groups_to_join()
    with django_assert_max_num_queries(6):
        (told,) = consumer.messages(for_user(alice), True, set(), True)
    assert len(told["connections"]) == 31
    with django_assert_max_num_queries(2):
        assert consumer.messages(for_user(alice), False, set(), False) == []


async def test_change_is_sent_without_looking_at_all_others(
    connection: Connection,
    other_organization: Organization,
    alice: User,
    bob: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In an outage hundreds change, again and again."""
    monkeypatch.setattr(live_consumer, "ACCESS_CHECK_SECONDS", 60.0)
    async with (
        open_and_watch(ALL, await do(log_in, alice)) as socket,
        open_and_watch(ALL, await do(log_in, bob)) as no_more,
    ):
        await first(socket)
        await first(no_more)
        other = await do(Connection.objects.of, other_organization)
        await do(Membership.objects.filter(user=bob).delete)
        await do(Membership.objects.create, user=alice, organization=other_organization)
        await do(actions.request_reconnect, connection.pk, ALICE)
        told = await socket.receive_json_from()
        assert told["connection"]["organization"] == connection.pk
        assert await no_more.receive_json_from() == {
            "type": "removed",
            "organization": connection.pk,
        }
        assert await socket.receive_nothing(timeout=0.3)  # It has not looked at the other one.
        await do(actions.request_reconnect, other.pk, ALICE)
        told = await socket.receive_json_from()
        assert told["connection"]["organization"] == other_organization.pk


class SlowReader:
    """A client that takes one message and then no other until it is let."""

    def __init__(self, socket: WebsocketCommunicator) -> None:
        self.taken: list[str] = []
        self.reads = asyncio.Event()
        self._in: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.put({"type": "websocket.connect"})
        self.task = asyncio.ensure_future(
            socket.application(socket.scope, self._in.get, self._send)
        )

    def put(self, message: dict[str, Any]) -> None:
        self._in.put_nowait(message)

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            self.taken.append(message["text"])
            await self.reads.wait()

    def all_heard(self) -> bool:
        """Whether the server has taken in whatever this client said."""
        return self._in.empty()

    async def has_taken(self, number: int) -> None:
        async with asyncio.timeout(10):
            while len(self.taken) < number:
                await asyncio.sleep(0.005)

    async def leave(self) -> None:
        self.put({"type": "websocket.disconnect", "code": 1000})
        async with asyncio.timeout(10):
            await self.task


def waiting_in(layer: InMemoryChannelLayer, group: str) -> bool:
    """Whether a message has not been taken by one who is in the group now.

    Sockets of earlier tests may have left some that no one takes any more.
    """
    members = [layer.channels.get(name) for name in layer.groups.get(group, {})]
    return any(heard is not None and not heard.empty() for heard in members)


@pytest.mark.parametrize("all_of_them", [True, False])
async def test_burst_for_a_slow_reader_becomes_one_message(
    connection: Connection, alice: User, settings: Settings, all_of_them: bool
) -> None:
    # In memory one can see when all has been heard.
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    client: Client = await do(log_in, alice)
    path, group = (
        (ALL, ALL_CONNECTIONS_GROUP)
        if all_of_them
        else (page_of(connection), connection_group(connection.pk))
    )
    reader = SlowReader(open_socket(path, client))
    await reader.has_taken(1)
    layer = get_channel_layer()
    assert isinstance(layer, InMemoryChannelLayer)
    await do(actions.request_reconnect, connection.pk, ALICE)
    for _ in range(500):
        await layer.group_send(group, {"type": "connection.changed", "connection": connection.pk})
        reader.put({"type": "websocket.receive", "text": "{}"})
    async with asyncio.timeout(20):
        while not reader.all_heard() or waiting_in(layer, group):
            await asyncio.sleep(0.005)
    reader.reads.set()
    await reader.has_taken(2)
    assert "connecting" in reader.taken[1]
    # What is asked from now on is one more, and nothing is left over in between.
    reader.put({"type": "websocket.receive", "text": "{}"})
    await reader.has_taken(3)
    await reader.leave()
    assert len(reader.taken) <= 4
