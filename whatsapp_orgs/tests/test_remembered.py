"""What is remembered of `GET status`: the same answer to the same question, never an untrue one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from connections import actions, broadcast
from connections.lifecycle import Desired, Reason, State
from connections.models import Connection, PairingAttempt, Worker
from organizations.actions import create_token, remove_member, revoke_token, set_member
from organizations.actors import Actor
from organizations.models import ApiToken, Membership, Organization
from whatsapp_orgs import remembered
from whatsapp_orgs.handler import ThreadHandler
from whatsapp_orgs.tests.asgi_client import Told, ask

TESTS = Actor("the tests")
SECONDS = 20.0

pytestmark = pytest.mark.django_db(transaction=True)


class Counted:
    """Django, with a count of what it is asked."""

    def __init__(self) -> None:
        self.handler = ThreadHandler()
        self.asked = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        await self.handler(scope, receive, send)


class Front:
    """The memory around Django, and a caller's question."""

    def __init__(self, connection: Connection) -> None:
        self.django = Counted()
        self.memory = remembered.Memory(self.django)
        self.path = f"/api/v1/organizations/{connection.pk}/whatsapp/status"

    def ask(self, token: str, application: Any = None, **headers: str) -> Told:
        given = {"authorization": f"Bearer {token}"} if token else {}
        return async_to_sync(ask)(
            application or self.memory, self.path, headers={**given, **headers}
        )

    def twice(self, token: str, **headers: str) -> Told:
        """Ask twice, and hold both answers against what Django says itself."""
        own = self.ask(token, self.django.handler, **headers)
        assert self.ask(token, **headers) == own
        assert self.ask(token, **headers) == own
        return own


@pytest.fixture
def connection(organization: Organization) -> Connection:
    return Connection.objects.of(organization)


@pytest.fixture
def front(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    monkeypatch.setattr(remembered, "REMEMBER_SECONDS", 60.0)
    front = Front(connection)
    yield front
    front.django.handler._staying.shutdown()


def token(user: User, scope: str = "manage", of: Organization | None = None, **named: Any) -> str:
    return create_token(user, "t", TESTS, scope=ApiToken.Scope(scope), organization=of, **named)[1]


def test_all_callers_get_what_the_view_tells_them(
    front: Front,
    organization: Organization,
    other_organization: Organization,
    alice: User,
    bob: User,
    charlie: User,
) -> None:
    root = User.objects.create(username="root", is_superuser=True)
    gone = User.objects.create(username="gone", is_active=False, is_superuser=True)
    past = timezone.now() - timedelta(seconds=1)
    revoked, text_of_revoked = create_token(alice, "t", TESTS)
    revoke_token(revoked, TESTS)
    expected = {
        token(alice): 200,
        token(bob, "read"): 200,
        token(root): 200,
        token(root, "read"): 200,
        token(alice, "read", organization): 200,
        token(alice, "manage", organization): 200,
        token(charlie): 404,
        token(charlie, "read", other_organization): 404,
        token(gone): 401,
        token(alice, expires_at=past): 401,
        text_of_revoked: 401,
        "wao_wrong": 401,
        "": 401,
    }
    for text, status in expected.items():
        assert front.twice(text).status == status
    assert (
        front.twice(token(alice), **{"accept-language": "es"}).headers
        != front.twice(token(alice), **{"accept-language": "en"}).headers
    )


@pytest.mark.parametrize("has_worker", [True, False])
@pytest.mark.parametrize("active", [True, False])
def test_all_states_are_told_as_the_view_tells_them(
    front: Front, connection: Connection, alice: User, active: bool, has_worker: bool
) -> None:
    text = token(alice)
    PairingAttempt.objects.create(
        connection=connection,
        generation=0,
        expires_at=timezone.now() + timedelta(minutes=5),
        code="2@a",
        code_expires_at=timezone.now() + timedelta(minutes=5),
    )
    if not active:
        Organization.objects.update(deactivated_at=timezone.now())
    worker = Worker.objects.create(name="w") if has_worker else None
    rows = Connection.objects.filter(pk=connection.pk)
    told = set()
    for state in State:
        for reason in (Reason.LINKED, Reason.WAITING_FOR_SCAN, Reason.TEMPORARILY_BANNED):
            rows.update(state=state, reason=reason, desired=Desired.CONNECTED, worker=worker)
            broadcast.heard(connection.pk)
            told.add(front.twice(text).text)
    # Who is deactivated is told so, whatever the row says.
    assert len(told) > 3 if active else len(told) == 1


def test_a_question_is_answered_once(front: Front, alice: User, bob: User) -> None:
    text, other = token(alice), token(bob)
    for _ in range(3):
        assert front.ask(text).status == 200
    assert front.django.asked == 1
    assert front.ask(other).status == 200
    assert front.django.asked == 2
    # What is no 200, or brings something along, is not remembered.
    for _ in range(2):
        front.ask("wao_wrong")
        front.ask(text, **{"content-length": "0"})
    assert front.django.asked == 6


def test_a_change_is_told_at_once(front: Front, connection: Connection, alice: User) -> None:
    text = token(alice)
    assert front.ask(text).json["state"] == "disconnected"
    actions.request_reconnect(connection.pk, TESTS)
    assert front.ask(text).json["desired"] == "connected"
    actions.request_cancel(connection.pk, TESTS)
    assert front.ask(text).json["reason"] == front.twice(text).json["reason"]
    assert front.ask(text).json["desired"] == "disconnected"


def test_a_right_that_is_lost_is_lost_at_once(
    front: Front, organization: Organization, alice: User, bob: User
) -> None:
    found, text = create_token(alice, "t", TESTS)
    assert front.ask(text).status == 200
    revoke_token(found, TESTS)
    assert front.ask(text).status == 401
    text = token(bob)
    assert front.ask(text).status == 200
    remove_member(Membership.objects.get(user=bob), TESTS)
    assert front.ask(text).status == 404
    set_member(organization, bob, Membership.Role.VIEWER, TESTS)
    assert front.ask(text).status == 200
    bob.is_active = False
    bob.save()
    assert front.ask(text).status == 401


def test_what_nobody_tells_of_shows_within_a_second(
    front: Front, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written by another process, whose message is lost: a token is revoked, a worker dies."""
    text = token(alice)
    assert front.ask(text).status == 200
    ApiToken.objects.update(revoked_at=timezone.now())
    assert front.ask(text).status == 200
    clock = time.perf_counter
    monkeypatch.setattr(remembered, "REMEMBER_SECONDS", 1.0)
    monkeypatch.setattr(time, "perf_counter", lambda: clock() + 1.001)
    assert front.ask(text).status == 401


def test_it_is_a_second() -> None:
    assert remembered.REMEMBER_SECONDS == 1.0


def test_who_asks_at_the_same_moment_is_answered_together(front: Front, alice: User) -> None:
    headers = {"authorization": f"Bearer {token(alice)}"}

    async def together() -> list[Told]:
        asked = (ask(front.memory, front.path, headers=headers) for _ in range(8))
        return await asyncio.wait_for(asyncio.gather(*asked), SECONDS)

    answers = async_to_sync(together)()
    assert answers == [answers[0]] * 8
    assert (answers[0].status, front.django.asked) == (200, 1)


def test_the_others_are_answered_when_the_first_has_left(front: Front, alice: User) -> None:
    headers = {"authorization": f"Bearer {token(alice)}"}

    async def left() -> Told:
        first = asyncio.create_task(ask(front.memory, front.path, headers=headers))
        while not front.django.asked:
            await asyncio.sleep(0)
        second = asyncio.create_task(ask(front.memory, front.path, headers=headers))
        await asyncio.sleep(0)
        first.cancel()
        return await asyncio.wait_for(second, SECONDS)

    assert async_to_sync(left)().status == 200


def test_it_does_not_grow_without_end(
    front: Front, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "ANSWERS", 3)
    text = token(alice)
    for number in range(6):
        front.ask(text, **{"x-request-id": str(number)})
    assert len(front.memory._answers) == 3
    assert text.encode() not in repr(front.memory._answers).encode()


def test_each_answer_has_its_line(
    front: Front,
    connection: Connection,
    alice: User,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.LOG_FORMAT = "json"
    caplog.set_level("INFO", "whatsapp_orgs.request_log")
    told = Front(connection)
    text = token(alice)
    for _ in range(2):
        assert told.ask(text).status == 200
    names = ("method", "route", "status", "caller", "organization")
    lines = [
        tuple(vars(line).get(name) for name in names)
        for line in caplog.records
        if line.name == "whatsapp_orgs.request_log"
    ]
    assert told.django.asked == 1
    assert lines == [("GET", remembered.ROUTE, 200, "token", connection.pk)] * 2
    told.django.handler._staying.shutdown()
