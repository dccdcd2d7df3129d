"""A test message to the linked number itself: who may ask, how often, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from connections import actions, broadcast, self_test_texts
from connections.actions import Fence, NotConnected, Superseded, TooManySelfTests
from connections.lifecycle import Reason
from connections.models import Connection, SelfTest, Worker
from connections.refusals import TooManyRequests
from connections.tests.support.fake_worker import FakeWorker
from connections.tests.support.rows import everything
from organizations.access import Actor
from organizations.models import Organization
from organizations.tests.support.users import api_client

Failure = SelfTest.Failure


@pytest.fixture
def actor(alice: User) -> Actor:
    return Actor("alice", alice, address="192.0.2.7")


@pytest.fixture
def fence(hand: FakeWorker, connection: Connection, actor: Actor) -> Fence:
    actions.request_reconnect(connection.pk, actor)
    return hand.link(connection)


def age(seconds: float) -> None:
    """Let all that was asked lie further back."""
    for test in SelfTest.objects.all():
        for field in ("requested_at", "expires_at", "taken_at", "ended_at"):
            if at := getattr(test, field):
                setattr(test, field, at - timedelta(seconds=seconds))
        test.save()


def told(connection: Connection) -> dict[str, str]:
    connection.refresh_from_db()
    found = self_test_texts.newest_as_json(connection)
    assert found is not None
    return found


def test_self_test_is_reported_from_request_to_result(
    connection: Connection, fence: Fence, actor: Actor, settings: Settings
) -> None:
    connection.refresh_from_db()
    assert self_test_texts.newest_as_json(connection) is None
    settings.DEVICE_NAME = "Blue AuthMiddleware"
    test = actions.request_self_test(connection.pk, actor)
    assert test.text == (
        "Test message from Blue AuthMiddleware: this organization's WhatsApp connection works."
    )
    assert (test.number, test.actor, test.user, test.address) == (
        connection.number,
        "alice",
        actor.user,
        "192.0.2.7",
    )
    assert told(connection) == {
        "state": "sending",
        "sentence": self_test_texts.SENDING,
        "at": test.requested_at.isoformat(),
        "by": "alice",
    }
    taken = actions.take_self_test(fence)
    assert taken == test
    actions.end_self_test(fence, test, message_id="3EB0")
    test.refresh_from_db()
    assert test.ended_at is not None
    assert told(connection) == {
        "state": "sent",
        "sentence": self_test_texts.SENT,
        "at": test.ended_at.isoformat(),
        "by": "alice",
    }


@pytest.mark.parametrize("failure", list(Failure))
def test_each_failure_has_a_sentence(
    connection: Connection, fence: Fence, actor: Actor, failure: SelfTest.Failure
) -> None:
    test = actions.request_self_test(connection.pk, actor)
    actions.end_self_test(fence, test, failure)
    assert told(connection)["state"] == "failed"
    assert told(connection)["sentence"] == self_test_texts.FAILED[failure]


def test_self_test_is_taken_once(connection: Connection, fence: Fence, actor: Actor) -> None:
    assert actions.take_self_test(fence) is None
    test = actions.request_self_test(connection.pk, actor)
    assert actions.take_self_test(fence) == test
    assert actions.take_self_test(fence) is None


@pytest.mark.parametrize("taken", [True, False])
def test_self_test_without_a_result_in_time_fails_for_good(
    connection: Connection, fence: Fence, actor: Actor, taken: bool
) -> None:
    test = actions.request_self_test(connection.pk, actor)
    if taken:
        actions.take_self_test(fence)
    age(SelfTest.TIMEOUT.total_seconds())
    test.refresh_from_db()
    expected = Failure.NO_ANSWER if taken else Failure.NOT_SENT
    assert told(connection) == {
        "state": "failed",
        "sentence": self_test_texts.FAILED[expected],
        "at": test.expires_at.isoformat(),
        "by": "alice",
    }
    assert actions.take_self_test(fence) is None
    actions.end_self_test(fence, test, message_id="3EB0")
    assert told(connection)["state"] == "failed"
    # The next one closes it with the same words.
    actions.request_self_test(connection.pk, actor)
    test.refresh_from_db()
    assert (test.failure, test.ended_at) == (expected, test.expires_at)


def test_superseded_worker_cannot_take_or_end_a_self_test(
    connection: Connection, fence: Fence, actor: Actor, hand: FakeWorker
) -> None:
    test = actions.request_self_test(connection.pk, actor)
    before = everything()
    for claim in (fence.claim - 1, fence.claim + 1):
        other = replace(fence, claim=claim)
        with pytest.raises(Superseded):
            actions.take_self_test(other)
        with pytest.raises(Superseded):
            actions.end_self_test(other, test, message_id="3EB0")
    assert everything() == before
    # What was asked for meanwhile does not unsend a message.
    actions.request_disconnect(connection.pk, actor)
    actions.end_self_test(fence, test, message_id="3EB0")
    test.refresh_from_db()
    assert test.state == "sent"
    connection.organization.delete()
    with pytest.raises(Superseded):
        actions.end_self_test(fence, test, message_id="3EB0")


def test_self_test_without_a_connection_is_refused(
    connection: Connection, hand: FakeWorker, actor: Actor
) -> None:
    with pytest.raises(NotConnected):
        actions.request_self_test(connection.pk, actor)
    actions.request_reconnect(connection.pk, actor)
    fence = hand.link(connection)
    actions.record_event(fence, Reason.LINK_LOST)
    with pytest.raises(NotConnected):
        actions.request_self_test(connection.pk, actor)
    actions.record_event(fence, Reason.RESUMED)
    hand.die()
    with pytest.raises(NotConnected):
        actions.request_self_test(connection.pk, actor)
    Worker.objects.update(heartbeat_at=timezone.now())
    Organization.objects.update(deactivated_at=timezone.now())
    with pytest.raises(NotConnected):
        actions.request_self_test(connection.pk, actor)
    Organization.objects.update(deactivated_at=None)
    actions.request_self_test(connection.pk, actor)


def test_second_open_test_and_sixth_in_ten_minutes_are_refused(
    connection: Connection, fence: Fence, actor: Actor
) -> None:
    for _ in range(5):
        test = actions.request_self_test(connection.pk, actor)
        with pytest.raises(TooManyRequests) as refused:
            actions.request_self_test(connection.pk, actor)
        assert 25 <= refused.value.wait <= 30
        actions.end_self_test(fence, test, Failure.REFUSED)
    with pytest.raises(TooManySelfTests) as refused:
        actions.request_self_test(connection.pk, actor)
    assert 590 <= refused.value.wait <= 600
    assert str(refused.value) == (
        f"Too many test messages. Try again in {refused.value.wait} seconds."
    )
    assert str(TooManySelfTests(1)) == "Too many test messages. Try again in 1 second."
    age(601)
    actions.request_self_test(connection.pk, actor)


def test_result_of_another_number_is_not_shown(
    connection: Connection, fence: Fence, actor: Actor
) -> None:
    test = actions.request_self_test(connection.pk, actor)
    actions.end_self_test(fence, test, message_id="3EB0")
    assert told(connection)["state"] == "sent"
    for number in ("", "5511900000000"):
        Connection.objects.update(number=number)
        connection.refresh_from_db()
        assert self_test_texts.newest_as_json(connection) is None


def test_each_change_notifies(
    connection: Connection,
    fence: Fence,
    actor: Actor,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(broadcast, "_send", lambda changed: heard.extend(changed[1]))
    group = broadcast.connection_group(connection.pk)
    with django_capture_on_commit_callbacks(execute=True):
        test = actions.request_self_test(connection.pk, actor)
    assert set(heard) == {group, broadcast.ALL_CONNECTIONS_GROUP, broadcast.WORKERS}
    heard.clear()
    with django_capture_on_commit_callbacks(execute=True):
        actions.end_self_test(fence, test, message_id="3EB0")
    assert set(heard) == {group, broadcast.ALL_CONNECTIONS_GROUP}
    heard.clear()
    with django_capture_on_commit_callbacks(execute=True):
        actions.end_self_test(fence, test, Failure.LINK_LOST)  # It has ended already.
    assert heard == []


def test_self_test_does_not_change_the_connection_or_its_history(
    connection: Connection, fence: Fence, actor: Actor
) -> None:
    before = everything()
    test = actions.request_self_test(connection.pk, actor)
    actions.take_self_test(fence)
    actions.end_self_test(fence, test, Failure.NO_ANSWER)
    after = everything()
    assert {name for name in after if after[name] != before[name]} <= {"SelfTest"}


def test_api_sends_a_test_message_and_reads_its_result(
    connection: Connection,
    hand: FakeWorker,
    alice: User,
    bob: User,
    charlie: User,
    settings: Settings,
) -> None:
    settings.RECONNECT_WAIT_SECONDS = 0.01
    url = reverse("whatsapp-test-message", args=[connection.pk])
    operator, viewer, outsider = (api_client(user) for user in (alice, bob, charlie))
    refused = operator.post(url)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_connected")
    actions.request_reconnect(connection.pk, Actor("alice"))
    hand.link(connection)
    assert viewer.get(url).json() == {"success": True, "test": None}
    assert (viewer.post(url).status_code, outsider.post(url).status_code) == (403, 404)
    assert not SelfTest.objects.exists()
    begun = operator.post(url)
    assert begun.status_code == 202
    assert begun.json() == {"message": self_test_texts.SENDING, "retryIn": 3000}
    test = SelfTest.objects.get()
    assert (test.user, test.token is not None) == (alice, True)
    assert viewer.get(url).json()["test"] == {
        "state": "sending",
        "sentence": self_test_texts.SENDING,
        "at": test.requested_at.isoformat(),
        "by": test.actor,
    }
    assert outsider.get(url).status_code == 404
    again = operator.post(url)
    assert (again.status_code, again.json()["code"]) == (429, "too_many_requests")
    assert 25 <= int(again.headers["Retry-After"]) <= 30
