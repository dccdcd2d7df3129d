"""Each transition of a connection appends an event to the log that other software reads."""

from __future__ import annotations

from typing import Any

import pytest

from connections import actions
from connections.lifecycle import Reason
from connections.models import Connection, ConnectionEvent
from connections.tests.support.fake_worker import FakeWorker
from events import log
from organizations.access import Actor

TESTS = Actor("the tests")


def told(connection: Connection) -> list[Any]:
    return [(event.type, event.data) for event in log.read(connection.pk, 0, 100)]


def test_transitions_are_in_the_log_in_their_order(
    connection: Connection, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, TESTS)
    hand.link(connection)
    events = ConnectionEvent.objects.filter(connection=connection).order_by("pk")
    assert [(kind, data["state"], data["reason"]) for kind, data in told(connection)] == [
        ("connection.changed", event.state, event.reason) for event in events
    ]
    kind, last = told(connection)[-1]
    assert last["sentence"] == "WhatsApp is connected."


def test_detail_stays_out_of_the_log(connection: Connection, hand: FakeWorker) -> None:
    actions.request_reconnect(connection.pk, TESTS)
    before = len(told(connection))
    actions.record_event(hand.begin(connection), Reason.WRONG_NUMBER, "its number ends in 4321")
    assert "4321" in ConnectionEvent.objects.latest("pk").detail
    assert len(told(connection)) == before + 1
    assert "4321" not in str(told(connection))


def test_change_that_is_rolled_back_is_not_in_the_log(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError

    monkeypatch.setattr("connections.broadcast.notify_requested", fail)
    with pytest.raises(OSError):
        actions.request_reconnect(connection.pk, TESTS)
    assert told(connection) == []
