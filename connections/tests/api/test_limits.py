"""How often WhatsApp may be asked for a new link, by one organization and by one caller."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from connections import actions, limits
from connections.lifecycle import Observation
from connections.models import Connection, ConnectionEvent, Method
from connections.refusals import TooManyRequests
from connections.tests.support.fake_worker import FakeWorker
from organizations.access import Actor
from organizations.actions import create_token
from organizations.models import Organization
from organizations.tests.support.users import api_client

SENTENCE = "Too many reconnects in a short time; WhatsApp bans numbers for that. Try again in "


@pytest.fixture(autouse=True)
def tight(settings: Settings) -> Settings:
    """Three attempts of an organization, five of a caller; and no request waits for a worker."""
    settings.RECONNECTS_PER_ORGANIZATION = 3
    settings.RECONNECTS_PER_CALLER = 5
    settings.RECONNECT_WAIT_SECONDS = settings.DISCONNECT_WAIT_SECONDS = 0.01
    return settings


@pytest.fixture
def actor(alice: User) -> Actor:
    return Actor("alice", alice)


@pytest.fixture
def other(other_organization: Organization) -> Connection:
    return Connection.objects.of(other_organization)


def attempt(connection: Connection, actor: Actor, method: Method = Method.QR) -> None:
    """One that begins and is cancelled, so that the next one is another."""
    number = "5511987654321" if method == Method.PHONE else ""
    actions.request_reconnect(connection.pk, actor, method, number)
    actions.request_cancel(connection.pk, actor)


def counted(connection: Connection) -> int:
    return connection.events.filter(observation=Observation.RECONNECT_REQUESTED).count()


def age(seconds: float) -> None:
    """Let all that happened lie further back."""
    for event in ConnectionEvent.objects.all():
        at = event.at - timedelta(seconds=seconds)
        ConnectionEvent.objects.filter(pk=event.pk).update(at=at)


def url(connection: Connection, action: str) -> str:
    return f"/api/v1/organizations/{connection.pk}/whatsapp/{action}"


def test_organization_over_its_limit_has_to_wait(connection: Connection, actor: Actor) -> None:
    attempt(connection, actor)
    attempt(connection, actor, Method.PHONE)
    attempt(connection, actor)
    before = Connection.objects.get(pk=connection.pk).generation
    for method in Method:
        with pytest.raises(TooManyRequests) as error:
            attempt(connection, actor, method)
        assert 590 <= error.value.wait <= 600
        assert str(error.value) == f"{SENTENCE}{error.value.wait} seconds."
    assert counted(connection) == 3
    assert Connection.objects.get(pk=connection.pk).generation == before


def test_limit_frees_up_one_by_one(connection: Connection, actor: Actor) -> None:
    attempt(connection, actor)
    age(400)
    attempt(connection, actor)
    attempt(connection, actor)
    with pytest.raises(TooManyRequests) as error:
        attempt(connection, actor)
    assert 190 <= error.value.wait <= 200
    age(201)
    attempt(connection, actor)
    with pytest.raises(TooManyRequests):
        attempt(connection, actor)


def test_limit_of_one_organization_does_not_affect_another(
    connection: Connection, other: Connection, actor: Actor
) -> None:
    for _ in range(3):
        attempt(connection, actor)
    attempt(other, actor)
    assert counted(other) == 1


def test_caller_limit_counts_all_organizations(
    connection: Connection, other: Connection, actor: Actor, charlie: User
) -> None:
    for turn in range(5):
        attempt(connection if turn < 2 else other, actor)
    with pytest.raises(TooManyRequests):
        attempt(connection, actor)
    # Others, and her own token, have shares of their own.
    attempt(connection, Actor("charlie", charlie))
    assert counted(connection) == 3


def test_token_has_its_own_limit(
    connection: Connection, other: Connection, alice: User, tight: Settings
) -> None:
    tight.RECONNECTS_PER_CALLER = 1
    first, second = (create_token(alice, name, Actor("alice"))[0] for name in ("one", "two"))
    attempt(connection, Actor("alice (one)", alice, first))
    with pytest.raises(TooManyRequests):
        attempt(other, Actor("alice (one)", alice, first))
    attempt(other, Actor("alice (two)", alice, second))
    attempt(other, Actor("alice", alice))


def test_repeated_request_does_not_count(
    connection: Connection, actor: Actor, hand: FakeWorker
) -> None:
    for _ in range(10):
        actions.request_reconnect(connection.pk, actor)
    hand.show_code(connection)
    for _ in range(10):
        actions.request_reconnect(connection.pk, actor)
    assert counted(connection) == 1


def test_disconnect_and_cancel_have_no_limit(connection: Connection, actor: Actor) -> None:
    for _ in range(3):
        attempt(connection, actor)
    for _ in range(10):
        actions.request_disconnect(connection.pk, actor)


@pytest.mark.django_db(transaction=True)
def test_fifty_requests_at_once_count_as_one(connection: Connection, actor: Actor) -> None:
    def ask(_: int) -> int:
        try:
            return actions.request_reconnect(connection.pk, actor).generation
        finally:
            database.close()

    with ThreadPoolExecutor(50) as pool:
        generations = set(pool.map(ask, range(50)))
    assert generations == {1}
    assert counted(connection) == 1


@pytest.mark.parametrize(
    ("action", "body"), [("reconnect", {}), ("pairing-code", {"phoneNumber": "+5511987654321"})]
)
def test_api_over_the_limit_gets_429(
    connection: Connection, alice: User, actor: Actor, action: str, body: dict[str, str]
) -> None:
    for _ in range(3):
        attempt(connection, actor)
    client = api_client(alice)
    answer = client.post(url(connection, action), body, content_type="application/json")
    assert answer.status_code == 429
    wait = int(answer["Retry-After"])
    assert 590 <= wait <= limits.WINDOW.total_seconds()
    assert answer.json() == {
        "success": False,
        "code": "too_many_requests",
        "message": f"{SENTENCE}{wait} seconds.",
    }
    assert counted(connection) == 3


def test_button_over_the_limit_shows_the_refusal(
    connection: Connection, alice: User, actor: Actor
) -> None:
    for _ in range(3):
        attempt(connection, actor)
    client = Client()
    client.force_login(alice)
    button = reverse("admin:connections_connection_reconnect", args=[connection.pk])
    page = client.post(button, follow=True).content.decode()
    assert SENTENCE in page
    told = client.post(button, headers={"Accept": "application/json"})
    assert told.status_code == 409
    assert told.json()["message"].startswith(SENTENCE)
    assert counted(connection) == 3
