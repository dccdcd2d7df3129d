"""The last sign of a phone is kept, and its silence announced on the tenth and twelfth day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from connections import actions
from connections.actions import Fence
from connections.lifecycle import Reason
from connections.models import Connection
from connections.tests.support.fake_worker import FakeWorker
from events import log
from events.troubles import TroubleReport, trouble_began, trouble_ended
from organizations.access import Actor
from organizations.tests.support.adminpages import shown
from organizations.tests.support.users import api_client

pytestmark = pytest.mark.django_db

ALICE = Actor("alice")


@pytest.fixture
def linked(connection: Connection, hand: FakeWorker) -> Fence:
    """Return the fence of a connection that is linked."""
    actions.request_reconnect(connection.pk, ALICE)
    return hand.link(connection)


@pytest.fixture
def announced() -> Iterator[list[int]]:
    """Return the days that are reported, 0 for the end."""
    found: list[int] = []

    def begin(sender: Any, trouble: TroubleReport, **kwargs: Any) -> None:
        found.append(int(trouble.values["days"]))
        assert trouble.needs_action == (found[-1] == 12)

    def end(sender: Any, **kwargs: Any) -> None:
        found.append(0)

    trouble_began.connect(begin)
    trouble_ended.connect(end)
    yield found
    trouble_began.disconnect(begin)
    trouble_ended.disconnect(end)


def seen(fence: Fence, days: float | None) -> None:
    """Set the last sign to so many days ago."""
    at = None if days is None else timezone.now() - timedelta(days=days)
    Connection.objects.filter(pk=fence.connection_id).update(phone_seen_at=at)


def last_sign(fence: Fence) -> Any:
    return Connection.objects.get(pk=fence.connection_id).phone_seen_at


def test_link_is_a_sign_and_signs_only_go_forward_an_hour_at_a_time(linked: Fence) -> None:
    first = last_sign(linked)
    assert timezone.now() - first < timedelta(minutes=1)
    for hours, kept in ((-48, 0), (0.9, 0), (2, 2), (2.5, 2), (1, 2)):
        actions.record_phone_sign(linked, first + timedelta(hours=hours))
        assert last_sign(linked) == first + timedelta(hours=kept), hours
    other = Fence(linked.connection_id, linked.claim - 1, linked.generation)
    actions.record_phone_sign(other, first + timedelta(hours=9))
    assert last_sign(linked) == first + timedelta(hours=2), "another worker owns it"


def test_silence_is_announced_once_on_each_day_and_the_end_too(
    linked: Fence, announced: list[int]
) -> None:
    for days, expected in (
        (None, []),
        (9.9, []),
        (10.1, [10]),
        (11.9, [10]),
        (12.1, [10, 12]),
        (15, [10, 12]),
        (0, [10, 12, 0]),
        (13, [10, 12, 0, 12]),
    ):
        seen(linked, days)
        actions.announce_phone_silences()
        assert announced == expected, days


def test_silence_and_its_end_are_in_the_feed(linked: Fence) -> None:
    before = log.last_sequence(linked.connection_id)
    for days in (10.1, 11, 12.1, 0):
        seen(linked, days)
        actions.announce_phone_silences()
    found = log.read(linked.connection_id, before, 9)
    assert [(event.type, event.data.get("level"), event.data.get("days")) for event in found] == [
        ("phone.silent", "warning", 10),
        ("phone.silent", "action_needed", 12),
        ("phone.seen", None, None),
    ]
    sentence = "The phone was not heard from for 12 days, and WhatsApp unlinks devices after 14"
    assert found[1].data["sentence"] == f"{sentence} days."
    assert found[2].data["phoneLastSeenAt"] == last_sign(linked).isoformat()


def test_silence_of_a_phone_that_was_unlinked_is_over_without_a_sign(
    linked: Fence, announced: list[int]
) -> None:
    seen(linked, 13)
    actions.announce_phone_silences()
    actions.record_event(linked, Reason.LOGGED_OUT_BY_PHONE)
    before = log.last_sequence(linked.connection_id)
    actions.announce_phone_silences()
    assert announced == [12, 0]
    assert log.last_sequence(linked.connection_id) == before


def test_announcement_that_fails_is_repeated(linked: Fence, announced: list[int]) -> None:
    def fail(**kwargs: Any) -> None:
        raise RuntimeError

    seen(linked, 10.1)
    trouble_began.connect(fail)
    try:
        with pytest.raises(RuntimeError):
            actions.announce_phone_silences()
    finally:
        trouble_began.disconnect(fail)
    announced.clear()
    actions.announce_phone_silences()
    assert announced == [10]


def test_silent_phone_is_told_on_the_page_the_list_and_in_the_api(
    linked: Fence, alice: User
) -> None:
    page = reverse("admin:connections_connection_change", args=[linked.connection_id])
    path = f"/api/v1/organizations/{linked.connection_id}/whatsapp/status"
    listed = reverse("admin:connections_connection_changelist")
    unlinks = "WhatsApp unlinks devices after 14 days."
    for days, sentence, warns, needs_action in (
        (None, "The phone itself was not heard from yet.", False, False),
        (0.5, "The phone was last heard from within a day.", False, False),
        (9, "The phone was last heard from 9 days ago.", False, False),
        (10, f"The phone was last heard from 10 days ago. {unlinks}", True, False),
        (12.5, f"The phone was last heard from 12 days ago. {unlinks}", True, True),
    ):
        seen(linked, days)
        status = api_client(alice).get(path).json()
        assert status["phoneSentence"] == sentence
        level = "action_needed" if needs_action else "warning" if warns else None
        assert status["phoneSilence"] == level
        assert ("Open WhatsApp on the phone" in status["nextStep"]) == warns
        [row] = api_client(alice).get("/api/v1/organizations").json()["results"]
        assert (row["phoneSilence"], row["state"]) == (level, "connected")
        for asked in ("warning", "action_needed", "warning,action_needed"):
            answer = api_client(alice).get(f"/api/v1/organizations?phoneSilence={asked}").json()
            assert answer["count"] == (level is not None and level in asked.split(",")), asked
        assert (status["phoneLastSeenAt"] is None) == (days is None)
        html = shown(alice, page)
        assert sentence in html
        assert ("Open WhatsApp on the phone" in html) == warns
        fleet = shown(alice, reverse("fleet"))
        assert (sentence in fleet) == warns, days
        for state, there in (("action_needed", needs_action), ("connected", not needs_action)):
            rows = shown(alice, f"{listed}?state={state}")
            assert (f"/connection/{linked.connection_id}/" in rows) == there, (days, state)


def test_nothing_is_said_of_a_phone_whose_connection_is_down(
    linked: Fence, alice: User, hand: FakeWorker
) -> None:
    seen(linked, 13)
    hand.die()
    path = f"/api/v1/organizations/{linked.connection_id}/whatsapp/status"
    status = api_client(alice).get(path).json()
    assert status["state"] != "connected"
    assert status["phoneSentence"] is None and status["phoneSilence"] is None
    assert status["phoneLastSeenAt"] is not None
