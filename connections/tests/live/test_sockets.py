"""Who may open a socket, how many, and how soon a lost right ends it: without any event."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from connections import actions
from connections.live import live_consumer
from connections.live.live_consumer import ACCESS_CHECK_SECONDS
from connections.models import Connection
from connections.tests.support.fake_worker import CODE, FakeWorker
from connections.tests.support.sockets import (
    ALL,
    close_code,
    do,
    log_in,
    open_socket,
    page_of,
    refusal,
)
from connections.tests.support.sockets import watching as open_and_watch
from organizations.access import Actor
from organizations.actions import create_token, remove_member, revoke_token, set_member
from organizations.models import ApiToken, Membership, Organization

pytestmark = pytest.mark.django_db(transaction=True)

ALICE = Actor("alice")
NOT_KNOWN, NOT_FOUND, TOO_MANY = 4401, 4404, 4429
Role = Membership.Role


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_consumer, "ACCESS_CHECK_SECONDS", 0.05)


@pytest.fixture
def shown(connection: Connection, hand: FakeWorker) -> Connection:
    """A connection whose code waits to be scanned."""
    actions.request_reconnect(connection.pk, ALICE)
    hand.show_code(connection)
    return connection


def own_token(
    organization: Organization, maker: User, scope: ApiToken.Scope, **more: Any
) -> tuple[ApiToken, str]:
    return create_token(maker, "a client", ALICE, organization=organization, scope=scope, **more)


def test_access_check_keeps_the_promise_of_five_seconds() -> None:
    assert ACCESS_CHECK_SECONDS <= 4


async def test_ping_is_answered_without_a_snapshot(connection: Connection, alice: User) -> None:
    _, text = await do(create_token, alice, "mine", ALICE)
    async with open_and_watch(page_of(connection), token=text, origin=None) as socket:
        assert (await socket.receive_json_from())["type"] == "snapshot"
        await socket.send_json_to({"type": "ping"})
        assert await socket.receive_json_from() == {"type": "pong"}
        await socket.send_to(text_data="no json")
        assert (await socket.receive_json_from())["type"] == "snapshot"


# --- Tokens --------------------------------------------------------------------------------------


async def test_token_opens_its_users_connections(shown: Connection, alice: User) -> None:
    _, text = await do(create_token, alice, "mine", ALICE)
    async with open_and_watch(page_of(shown), token=text, origin=None) as socket:
        told = await socket.receive_json_from()
        assert told["mayOperate"] and told["pairing"] is not None


async def test_read_only_token_gets_no_code(shown: Connection, alice: User) -> None:
    _, text = await do(create_token, alice, "mine", ALICE, scope=ApiToken.Scope.READ)
    async with open_and_watch(page_of(shown), token=text, origin=None) as socket:
        told = await socket.receive_json_from()
        assert not told["mayOperate"] and told["pairing"] is None
        assert CODE not in str(told) and "data:image" not in str(told)


@pytest.mark.parametrize("scope", ApiToken.Scope)
async def test_organization_token_opens_only_its_organization(
    shown: Connection, alice: User, other_organization: Organization, scope: ApiToken.Scope
) -> None:
    _, text = await do(own_token, shown.organization, alice, scope)
    async with open_and_watch(page_of(shown), token=text, origin=None) as socket:
        told = await socket.receive_json_from()
        assert told["mayOperate"] == (scope == ApiToken.Scope.MANAGE)
    other = await do(Connection.objects.of, other_organization)
    assert await refusal(open_socket(page_of(other), token=text, origin=None)) == NOT_FOUND
    async with open_and_watch(ALL, token=text, origin=None) as socket:
        listed = (await socket.receive_json_from())["connections"]
        assert [found["organization"] for found in listed] == [shown.pk]


@pytest.mark.parametrize("text", ["", "wao_no", "ÿ", "x" * 5000])
async def test_wrong_token_gets_close_code_unauthenticated(
    connection: Connection, text: str
) -> None:
    socket = open_socket(page_of(connection), token=text, origin=None)
    assert await refusal(socket) == NOT_KNOWN


async def test_token_from_another_origin_is_denied(connection: Connection, alice: User) -> None:
    _, text = await do(create_token, alice, "mine", ALICE)
    for origin in ("https://evil.example", "null", "http://[", "http://localhost:99999999"):
        socket = open_socket(page_of(connection), token=text, origin=origin)
        accepted, _ = await socket.connect()
        assert not accepted, origin


async def test_session_without_an_origin_is_denied(connection: Connection, alice: User) -> None:
    socket = open_socket(page_of(connection), await do(log_in, alice), origin=None)
    accepted, _ = await socket.connect()
    assert not accepted


async def test_wrong_scheme_is_not_a_token(connection: Connection, alice: User) -> None:
    _, text = await do(create_token, alice, "mine", ALICE)
    shown = f"Token {text}".encode()
    socket = open_socket(page_of(connection), authorization=shown, origin=None)
    accepted, _ = await socket.connect()
    assert not accepted


async def test_wrong_tokens_are_throttled_and_a_valid_token_still_works(
    connection: Connection, alice: User, settings: Settings
) -> None:
    settings.WRONG_TOKENS_PER_ADDRESS = 3
    _, text = await do(create_token, alice, "mine", ALICE)

    def guess(address: str = "192.0.2.7") -> WebsocketCommunicator:
        return open_socket(page_of(connection), token="wao_no", origin=None, address=address)

    assert [await refusal(guess()) for _ in range(5)] == [NOT_KNOWN] * 3 + [TOO_MANY] * 2
    assert await refusal(guess("192.0.2.8")) == NOT_KNOWN
    async with open_and_watch(page_of(connection), token=text, origin=None) as socket:
        assert (await socket.receive_json_from())["type"] == "snapshot"


# --- Rights that end while nothing happens --------------------------------------------------------


async def test_revoked_token_closes_the_socket(connection: Connection, alice: User) -> None:
    token, text = await do(create_token, alice, "mine", ALICE)
    async with open_and_watch(page_of(connection), token=text, origin=None) as socket:
        await socket.receive_json_from()
        await do(revoke_token, token, ALICE)
        assert await close_code(socket) == NOT_KNOWN


async def test_token_of_a_revoked_maker_closes_the_socket(
    connection: Connection, alice: User
) -> None:
    maker, _ = await do(create_token, alice, "maker", ALICE)
    made_with_it = Actor("alice", alice, maker)
    _, text = await do(create_token, alice, "mine", made_with_it)
    _, own_text = await do(
        create_token, alice, "own", made_with_it, organization=connection.organization
    )
    async with (
        open_and_watch(page_of(connection), token=text, origin=None) as socket,
        open_and_watch(page_of(connection), token=own_text, origin=None) as own_socket,
    ):
        await socket.receive_json_from()
        await own_socket.receive_json_from()
        await do(revoke_token, maker, ALICE)
        assert await close_code(socket) == NOT_KNOWN
        assert await close_code(own_socket) == NOT_KNOWN


async def test_expired_token_closes_the_socket(connection: Connection, alice: User) -> None:
    token, text = await do(create_token, alice, "mine", ALICE)
    async with open_and_watch(ALL, token=text, origin=None) as socket:
        await socket.receive_json_from()
        past = timezone.now() - timedelta(seconds=1)
        await do(ApiToken.objects.filter(pk=token.pk).update, expiry=past)
        assert await close_code(socket) == NOT_KNOWN


async def test_deleted_token_closes_the_socket(connection: Connection, alice: User) -> None:
    token, text = await do(create_token, alice, "mine", ALICE)
    async with open_and_watch(page_of(connection), token=text, origin=None) as socket:
        await socket.receive_json_from()
        await do(ApiToken.objects.filter(pk=token.pk).delete)
        assert await close_code(socket) == NOT_KNOWN


@pytest.mark.parametrize("by_token", [True, False])
async def test_deactivated_user_closes_the_socket(
    connection: Connection, alice: User, by_token: bool
) -> None:
    if by_token:
        _, text = await do(create_token, alice, "mine", ALICE)
        shown: dict[str, Any] = {"token": text, "origin": None}
    else:
        shown = {"client": await do(log_in, alice)}
    async with open_and_watch(page_of(connection), **shown) as socket:
        await socket.receive_json_from()
        await do(User.objects.filter(pk=alice.pk).update, is_active=False)
        assert await close_code(socket) == NOT_KNOWN


async def test_ended_session_closes_the_socket(connection: Connection, alice: User) -> None:
    client = await do(log_in, alice)
    async with open_and_watch(page_of(connection), client) as socket:
        await socket.receive_json_from()
        await do(client.logout)
        assert await close_code(socket) == NOT_KNOWN


async def test_changed_password_closes_the_socket(connection: Connection, alice: User) -> None:
    async with open_and_watch(ALL, await do(log_in, alice)) as socket:
        await socket.receive_json_from()

        def change() -> None:
            alice.set_password("another one")
            alice.save(update_fields=["password"])

        await do(change)
        assert await close_code(socket) == NOT_KNOWN


async def test_removed_membership_closes_the_socket(connection: Connection, alice: User) -> None:
    async with open_and_watch(page_of(connection), await do(log_in, alice)) as socket:
        await socket.receive_json_from()
        membership = await do(Membership.objects.get, user=alice)
        await do(remove_member, membership, ALICE)
        assert await close_code(socket) == NOT_FOUND


async def test_changed_role_hides_or_shows_the_code(shown: Connection, alice: User) -> None:
    async with open_and_watch(page_of(shown), await do(log_in, alice)) as socket:
        assert (await socket.receive_json_from())["panel"] == "code"
        await do(set_member, shown.organization, alice, Role.VIEWER, ALICE)
        told = await socket.receive_json_from(5)
        assert (told["panel"], told["pairing"]) == ("hidden", None)
        await do(set_member, shown.organization, alice, Role.OPERATOR, ALICE)
        assert (await socket.receive_json_from(5))["panel"] == "code"


async def test_deleted_organization_gets_close_code_not_found(
    connection: Connection, alice: User
) -> None:
    async with open_and_watch(page_of(connection), await do(log_in, alice)) as socket:
        await socket.receive_json_from()
        await do(Organization.objects.filter(pk=connection.pk).delete)
        assert await close_code(socket) == NOT_FOUND


# --- How many -------------------------------------------------------------------------------------


async def test_sockets_of_one_caller_are_limited(
    connection: Connection, alice: User, bob: User, settings: Settings
) -> None:
    settings.SOCKETS_PER_CALLER = 2
    client = await do(log_in, alice)
    _, text = await do(create_token, alice, "mine", ALICE)
    async with open_and_watch(ALL, client):
        async with open_and_watch(page_of(connection), token=text, origin=None):
            # Her session and her token are both hers.
            assert await refusal(open_socket(ALL, client)) == TOO_MANY
            async with open_and_watch(ALL, await do(log_in, bob)) as socket:
                assert (await socket.receive_json_from())["type"] == "connections"
        async with open_and_watch(ALL, client) as socket:
            assert (await socket.receive_json_from())["type"] == "connections"


async def test_unknown_path_gets_close_code_not_found(alice: User) -> None:
    client = await do(log_in, alice)
    huge = "9" * 4999
    for path in (
        "/",
        "/ws/",
        "/ws/organizations/x/connection/",
        "/ws/organizations/-1/connection/",
        "/ws/organizations/99999999999999999999999/connection/",
        f"/ws/organizations/{huge}/connection/",
        "/ws/organizations/..%2f1/connection/",
    ):
        assert await refusal(open_socket(path, client)) == NOT_FOUND, path[:60]
