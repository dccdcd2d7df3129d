"""Notifications: sent on commit, with an id and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from asgiref.sync import async_to_sync
from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from connections import actions, broadcast
from connections.lifecycle import Observation, Reason
from connections.models import Connection
from connections.tests.support.fake_worker import CODE, FakeWorker
from organizations.access import Actor

ALICE = Actor("alice")
IN_MEMORY = {"BACKEND": "channels.layers.InMemoryChannelLayer"}


class Listener:
    """A member of a group, and what it has heard."""

    def __init__(self, layer: InMemoryChannelLayer, group: str) -> None:
        self._layer = layer
        self.channel: str = async_to_sync(layer.new_channel)()
        async_to_sync(layer.group_add)(group, self.channel)

    def heard(self) -> list[dict[str, object]]:
        """Everything since the last time."""
        queue = self._layer.channels.get(self.channel)
        messages = []
        while queue is not None and not queue.empty():
            messages.append(queue.get_nowait()[1])
        return messages


@pytest.fixture
def layer(settings: Settings) -> Iterator[InMemoryChannelLayer]:
    """The one in memory, whose channels outlive an event loop."""
    settings.CHANNEL_LAYERS = {"default": IN_MEMORY}
    found = get_channel_layer()
    assert isinstance(found, InMemoryChannelLayer)
    yield found
    async_to_sync(found.flush)()


@pytest.fixture
def page(layer: InMemoryChannelLayer, connection: Connection) -> Listener:
    """Someone who watches this connection."""
    return Listener(layer, broadcast.connection_group(connection.pk))


@pytest.fixture
def worker(layer: InMemoryChannelLayer) -> Listener:
    return Listener(layer, broadcast.WORKERS)


def message(connection: Connection) -> dict[str, object]:
    return {"type": "connection.changed", "connection": connection.pk}


class Undone(Exception):
    """The transaction is rolled back."""


@contextmanager
def rolled_back() -> Iterator[None]:
    with pytest.raises(Undone), transaction.atomic():
        yield
        raise Undone


def test_request_notifies_pages_and_workers(
    connection: Connection,
    page: Listener,
    worker: Listener,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        actions.request_reconnect(connection.pk, ALICE)
        assert page.heard() == worker.heard() == [], "not before the commit"
    assert worker.heard() == [message(connection)]
    heard = page.heard()
    assert heard and all(one == message(connection) for one in heard)


def test_observation_notifies_pages_only(
    connection: Connection,
    page: Listener,
    worker: Listener,
    hand: FakeWorker,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    with django_capture_on_commit_callbacks(execute=True):
        hand.show_code(connection)
    heard = page.heard()
    assert heard and all(one == message(connection) for one in heard)
    assert CODE not in str(heard)
    assert worker.heard() == []


def test_rolled_back_change_notifies_nobody(
    connection: Connection,
    page: Listener,
    worker: Listener,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        with rolled_back():
            actions.request_reconnect(connection.pk, ALICE)
        assert callbacks == []
    assert page.heard() == worker.heard() == []


@pytest.mark.django_db(transaction=True)
def test_notification_is_sent_on_commit_only(connection: Connection, page: Listener) -> None:
    with rolled_back():
        actions.request_reconnect(connection.pk, ALICE)
    assert page.heard() == []
    actions.request_reconnect(connection.pk, ALICE)
    assert message(connection) in page.heard()


def test_failing_channel_layer_does_not_undo_the_write(
    connection: Connection,
    hand: FakeWorker,
    caplog: pytest.LogCaptureFixture,
    settings: Settings,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.CHANNEL_LAYERS = {
        "default": {"BACKEND": "connections.tests.support.broken_layer.BrokenLayer"}
    }
    with django_capture_on_commit_callbacks(execute=True):
        actions.request_reconnect(connection.pk, ALICE)
    assert Connection.objects.get(pk=connection.pk).generation == 1
    assert "channel layer did not take a message" in caplog.text


def test_write_without_a_change_notifies_nobody(
    connection: Connection,
    page: Listener,
    hand: FakeWorker,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    fence = hand.link(connection)
    with django_capture_on_commit_callbacks(execute=True):
        actions.record_event(fence, Observation.CODE_ACCEPTED)
        actions.record_event(fence, Reason.RESUMED)
    assert page.heard() == []


def test_stopped_worker_notifies_for_all_its_connections(
    connection: Connection,
    page: Listener,
    hand: FakeWorker,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    hand.claim(connection)
    with django_capture_on_commit_callbacks(execute=True):
        actions.stop_worker(hand.worker)
    assert page.heard() == [message(connection)]
