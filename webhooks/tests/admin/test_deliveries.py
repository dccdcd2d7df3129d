"""The log of deliveries: its filter, one delivery, sending again and replays."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from events.models import Event
from organizations.models import Organization
from organizations.tests.support.adminpages import browser, shown
from webhooks.models import Cursor, Delivery, Endpoint
from webhooks.tests.admin.test_edit_webhook import press, told
from webhooks.tests.support.events import append, make_endpoint
from webhooks.tests.support.past import URL, deliver, fail_for

State = Delivery.State


def page(endpoint: Endpoint, name: str = "webhook") -> str:
    own = [] if endpoint.organization_id is None else [endpoint.organization_id]
    return reverse(name, args=[*own, endpoint.public_id])


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def keys(html: str) -> list[str]:
    return re.findall(r'data-key="([^"]+)" data-tone', html)


@pytest.fixture
def past(organization: Organization, endpoint: Endpoint) -> list[Delivery]:
    """Delivered, given up, delivered, and tried again; two more events wait."""
    append(organization, count=6)
    states = [State.DELIVERED, State.DEAD, State.DELIVERED, State.RETRYING]
    return [
        deliver(
            endpoint,
            sequence,
            state=state,
            status=200 if state == State.DELIVERED else 500,
            ago=timedelta(hours=5 - sequence),
        )
        for sequence, state in enumerate(states, start=1)
    ]


@pytest.mark.parametrize(
    ("show", "which"),
    [
        ("", [3, 2, 1, 0]),
        ("failed", [3, 1]),
        ("dead", [1]),
        ("delivered", [2, 0]),
        ("x", [3, 2, 1, 0]),
    ],
)
def test_filter_shows_those_deliveries_newest_first(
    bob: User, endpoint: Endpoint, past: list[Delivery], show: str, which: list[int]
) -> None:
    found = keys(shown(bob, f"{page(endpoint)}?show={show}"))
    assert found == [past[number].public_id for number in which]


def test_long_log_is_cut_and_leads_to_earlier_deliveries(
    bob: User, organization: Organization, endpoint: Endpoint
) -> None:
    append(organization, count=51)
    past = [deliver(endpoint, number) for number in range(1, 52)]
    html = shown(bob, page(endpoint))
    assert len(keys(html)) == 50
    older = re.search(r'href="\?(show=&amp;before=\d+)"', html)
    assert older
    earlier = shown(bob, f"{page(endpoint)}?{older[1].replace('&amp;', '&')}")
    assert keys(earlier) == [past[0].public_id]
    assert "This page does not change by itself." in earlier


@pytest.mark.parametrize("before", ["x", "-1", "0", "9" * 30, "²"])
def test_nonsense_in_the_address_shows_the_newest(
    bob: User, endpoint: Endpoint, past: list[Delivery], before: str
) -> None:
    assert len(keys(shown(bob, f"{page(endpoint)}?before={before}"))) == 4


def test_page_says_what_waits_why_and_when(
    bob: User, endpoint: Endpoint, past: list[Delivery]
) -> None:
    text = plain(shown(bob, page(endpoint)))
    assert (
        "Failing" in text
        and "66.6 %" not in text
        and "50 % of attempts in 24 h" in text.replace("50.0", "50")
    )
    assert "3 events wait. The server answered with status 500. Try 2 of 11 at" in text


def test_median_is_of_successful_attempts(
    bob: User, organization: Organization, endpoint: Endpoint
) -> None:
    append(organization, count=4)
    for sequence, milliseconds in enumerate((10, 50, 900), start=1):
        deliver(endpoint, sequence, milliseconds=milliseconds)
    deliver(endpoint, 4, state=State.DEAD, status=500, milliseconds=10_000)
    assert "answers in 50 ms (median)" in plain(shown(bob, page(endpoint)))


def test_events_given_up_are_counted_until_they_arrived(
    alice: User, endpoint: Endpoint, past: list[Delivery]
) -> None:
    html = shown(alice, page(endpoint))
    assert "1 event was given up since" in html and "?sequence=2" in html
    replay = Cursor.objects.create(
        endpoint=endpoint, organization=endpoint.organization, kind="replay", position=2, end=2
    )
    Delivery.objects.create(
        endpoint=endpoint,
        organization=endpoint.organization,
        cursor=replay,
        sequence=2,
        type="message.received",
        event_at=past[1].event_at,
        state=State.DELIVERED,
    )
    assert "given up since" not in shown(alice, page(endpoint))


# --- One delivery ---------------------------------------------------------------------------------


def test_answer_and_payload_are_escaped(
    olga: User, organization: Organization, endpoint: Endpoint
) -> None:
    append(organization)
    event = Event.objects.get()
    event.data = {"text": {"body": "<script>alert(1)</script>\u202e"}}
    event.save()
    delivery = deliver(endpoint, 1, state=State.DEAD, status=500, answer="<img src=x>\x00\u202e")
    own = [organization.pk, endpoint.public_id, delivery.public_id]
    html = shown(olga, reverse("webhook_delivery", args=own))
    assert "&lt;img src=x&gt;" in html and "<img src=x" not in html
    assert "&lt;script&gt;alert(1)" in html and "<script>alert" not in html
    assert html.count("U+202E") >= 2


def test_deleted_event_is_said_to_be_erased(
    olga: User, organization: Organization, delivery: Delivery
) -> None:
    Event.objects.all().delete()
    own = [organization.pk, delivery.endpoint.public_id, delivery.public_id]
    assert "It was erased from the log." in shown(olga, reverse("webhook_delivery", args=own))


def test_sending_again_makes_a_delivery_that_names_the_first(
    alice: User, organization: Organization, delivery: Delivery
) -> None:
    own = [organization.pk, delivery.endpoint.public_id, delivery.public_id]
    response = browser(alice).post(reverse("webhook_resend", args=own))
    new = Delivery.objects.exclude(pk=delivery.pk).get()
    assert told(response) == ["It leaves once more, with the same id."]
    assert response["Location"].endswith(f"/deliveries/{new.public_id}/")
    assert new.original == delivery and new.webhook_id == delivery.webhook_id
    assert "It repeats an earlier delivery:" in shown(alice, response["Location"])
    assert "It was sent again:" in shown(alice, reverse("webhook_delivery", args=own))


def test_delivery_of_another_endpoint_is_not_found(
    olga: User, organization: Organization, delivery: Delivery
) -> None:
    other = make_endpoint(organization, URL)
    own = [organization.pk, other.public_id, delivery.public_id]
    assert browser(olga).get(reverse("webhook_delivery", args=own)).status_code == 404
    assert browser(olga).post(reverse("webhook_resend", args=own)).status_code == 404


# --- Replay ---------------------------------------------------------------------------------------


def test_replay_asks_with_the_number_and_changes_nothing(
    alice: User, endpoint: Endpoint, past: list[Delivery]
) -> None:
    html = plain(shown(alice, f"{page(endpoint, 'webhook_replay')}?sequence=2"))
    assert "Send 2 events to crm.example.com:8080 again?" in html
    assert "Events 2 to 3 of the log." in html
    assert "In the order in which they happened" in html
    assert "What arrived before arrives twice" in html
    assert not Cursor.objects.filter(kind="replay").exists()


def test_replay_sends_what_it_asked_for(
    alice: User, endpoint: Endpoint, past: list[Delivery]
) -> None:
    response = press(alice, endpoint, "webhook_replay", sequence="2")
    assert told(response) == ["2 events leave again."]
    cursor = Cursor.objects.get(kind="replay")
    assert (cursor.position, cursor.end) == (1, 3)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("sequence=&time=", "Write either the number of an event, or a time."),
        ("sequence=1&time=2026-01-01T00:00", "Write either the number of an event, or a time."),
        ("sequence=99", "There are no such events to send."),
        ("sequence=0", "greater than or equal to 1"),
        ("sequence=99999999999999999999", "less than or equal to"),
        ("time=yesterday", "Write the time like"),
    ],
)
def test_replay_says_what_is_wrong(
    alice: User, endpoint: Endpoint, past: list[Delivery], query: str, says: str
) -> None:
    response = browser(alice).get(f"{page(endpoint, 'webhook_replay')}?{query}")
    assert response.status_code == 400 and says in response.content.decode()


def test_second_replay_waits_for_the_first(
    alice: User, endpoint: Endpoint, past: list[Delivery]
) -> None:
    press(alice, endpoint, "webhook_replay", sequence="1")
    response = press(alice, endpoint, "webhook_replay", sequence="1")
    assert response.status_code == 400 and "A replay is running." in response.content.decode()
    assert Cursor.objects.filter(kind="replay").count() == 1


def test_replay_of_all_organizations_goes_by_time(
    root: User, organization: Organization, other_organization: Organization
) -> None:
    endpoint = make_endpoint(None, URL)
    for each in (organization, other_organization):
        append(each, count=2)
    Cursor.objects.filter(endpoint=endpoint).update(position=2)
    address = page(endpoint, "webhook_replay")
    assert browser(root).get(f"{address}?sequence=1").status_code == 400
    html = plain(shown(root, f"{address}?time=2020-01-01T00:00"))
    assert "Send 4 events" in html and "Of 2 organizations, each in its own order." in html
    assert browser(root).post(address, {"time": "2020-01-01T00:00"}).status_code == 302
    assert Cursor.objects.filter(kind="replay").count() == 2


def test_failing_for_long_shows_since_when(bob: User, endpoint: Endpoint) -> None:
    fail_for(endpoint, timedelta(hours=3))
    assert "failing since" in shown(bob, page(endpoint))
