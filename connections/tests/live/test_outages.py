"""An outage of the server or of WhatsApp: one alarm, which the fleet page and the list share."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from connections import actions
from connections.lifecycle import Desired, Reason, State
from connections.live.fleet import get_fleet
from connections.live.outages import find_outages
from connections.models import Connection, Worker
from connections.reason_texts import REASON_TEXTS
from connections.tests.support.fake_worker import FakeWorker
from organizations.access import for_user
from organizations.models import Organization

PAGES = ("/admin/connections/", "/admin/connections/connection/")
LINE = re.compile(r'<p data-outage="(\w+)"\s*(hidden)?>(.*?)</p>', re.S)


def shown(user: User, page: str) -> dict[str, str]:
    """Return the text of each cause that the page's alarm shows."""
    client = Client()
    client.force_login(user)
    html = client.get(page).content.decode()
    alarm = re.search(r'class="outages" data-outages (hidden)?', html)
    lines = {
        reason: " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())
        for reason, hidden, text in LINE.findall(html)
        if not hidden
    }
    assert alarm and (alarm[1] == "hidden") == (not lines)
    return lines


def waiting(hand: FakeWorker, reason: Reason, *names: str, minutes: int = 0) -> None:
    """Make linked connections that wait for this reason."""
    for name in names:
        connection = Connection.objects.of(Organization.objects.create(name=name))
        columns: dict[str, Any] = {
            "desired": Desired.CONNECTED,
            "state": State.RECONNECTING,
            "reason": reason,
            "since": timezone.now() - timedelta(minutes=minutes),
            "store_name": "attempt-1",
            "worker": hand.worker,
        }
        Connection.objects.filter(pk=connection.pk).update(**columns)


def test_counts_of_the_alarm_are_not_read_aloud_again(alice: User, client: Client) -> None:
    client.force_login(alice)
    for page in PAGES:
        html = client.get(page).content.decode()
        changing = re.findall(r"<span[^>]* data-outage-(?:waiting|since)>", html)
        assert changing and all('aria-live="off"' in tag for tag in changing)


def test_outage_is_one_alarm_with_a_count_and_a_time(
    connection: Connection, alice: User, admin_user: User, hand: FakeWorker
) -> None:
    waiting(hand, Reason.UNREACHABLE, "One", minutes=30)
    waiting(hand, Reason.UNREACHABLE, "Two", minutes=10)
    waiting(hand, Reason.LINK_LOST, "Only dropped")
    (unreachable, *_others) = find_outages(for_user(admin_user))
    began = timezone.now() - timedelta(minutes=30)
    assert unreachable.since and abs(unreachable.since - began) < timedelta(minutes=1)
    for page in PAGES:
        (text,) = shown(admin_user, page).values()
        assert "WhatsApp cannot be reached from this server. 2 wait and come back" in text
        assert f"Since {unreachable.since_text}" in text
        assert "firewall and proxy" in text
        # She sees none of those that wait.
        assert shown(alice, page) == {}
    health = get_fleet(for_user(admin_user)).health
    assert health == "quiet", "an outage is nobody's task"


def test_outage_tells_others_that_administrators_end_it(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, for_user(alice).actor)
    hand.link(connection)
    hand.die()
    for page in PAGES:
        lines = shown(alice, page)
        assert set(lines) == {"worker_offline"}
        assert "1 waits and comes back by itself." in lines["worker_offline"]
        assert "Only an administrator of this service can end it." in lines["worker_offline"]
        assert "Start the worker" not in lines["worker_offline"]
    (offline, *_others) = find_outages(for_user(alice))
    died = timezone.now() - 2 * Worker.OFFLINE_AFTER
    connection.refresh_from_db()
    assert offline.since
    assert abs(offline.since - max(died, connection.since)) < timedelta(seconds=10)


@pytest.mark.parametrize(
    ("reason", "sentence", "for_administrators", "for_others"),
    [
        (
            Reason.UNREACHABLE,
            "WhatsApp cannot be reached from this server.",
            "If this lasts, check the server's internet connection, firewall and proxy settings.",
            "If this lasts, tell an administrator of this service.",
        ),
        (
            Reason.UNAVAILABLE,
            "WhatsApp can be reached, but answers with an error.",
            "If WhatsApp works elsewhere, it may be refusing this server's address.",
            "The trouble is at WhatsApp: there is nothing to do here.",
        ),
    ],
)
def test_outages_of_network_and_of_whatsapp_have_texts_for_each_reader(
    connection: Connection,
    alice: User,
    admin_user: User,
    hand: FakeWorker,
    reason: Reason,
    sentence: str,
    for_administrators: str,
    for_others: str,
) -> None:
    actions.request_reconnect(connection.pk, for_user(alice).actor)
    actions.record_event(hand.link(connection), reason)
    for page in PAGES:
        for user, advice in ((admin_user, for_administrators), (alice, for_others)):
            (text,) = shown(user, page).values()
            assert text.startswith(f"{sentence} 1 waits") and text.endswith(advice)
    path = f"/admin/connections/connection/{connection.pk}/change/"
    for user, step in (
        (admin_user, for_administrators),
        (alice, REASON_TEXTS[reason].next_step),
    ):
        client = Client()
        client.force_login(user)
        html = unescape(client.get(path).content.decode())
        assert sentence in html and step in html
        assert (for_administrators in html) == (user == admin_user)


def test_refused_version_is_an_alarm_before_anything_drops(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    assert shown(alice, PAGES[0]) == {}
    actions.heartbeat(hand.worker, timezone.now())
    for page in PAGES:
        (text,) = shown(alice, page).values()
        assert "no longer accepts this version" in text and "wait" not in text


@pytest.mark.parametrize("reason", [Reason.PAIRING_UNREACHABLE, Reason.STORE_FAILED])
def test_what_needs_a_person_is_no_outage(
    admin_user: User, hand: FakeWorker, reason: Reason
) -> None:
    waiting(hand, reason, "Acme")
    Connection.objects.update(state=State.ACTION_NEEDED)
    assert not any(outage.count for outage in find_outages(for_user(admin_user)))
