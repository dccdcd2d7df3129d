"""The Messages tab: what waits, failed or was lost, and the log."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from messaging.admin.messages import PAGE
from messaging.models import Message
from messaging.tests.support.rows import make_message
from organizations.models import Organization
from organizations.tests.support.adminpages import browser, shown

State = Message.State


def page(user: User, organization: Organization, query: str = "") -> str:
    html = shown(user, reverse("messages", args=[organization.pk]) + query)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.partition("<main")[2]))


def keys(user: User, organization: Organization, query: str = "") -> list[str]:
    """Return the public ids of the log's rows."""
    html = shown(user, reverse("messages", args=[organization.pk]) + query)
    return re.findall(r'data-key="([^"]+)"', html)


def test_page_without_messages_says_so(olga: User, organization: Organization) -> None:
    text = page(olga, organization)
    assert "No messages yet." in text
    assert "Today 0 in 0 out 0 waiting 0 failed" in text


def test_page_counts_today_and_not_before(olga: User, organization: Organization) -> None:
    yesterday = timezone.now() - timedelta(days=1)
    for state in (State.RECEIVED, State.READ, State.FAILED, State.QUEUED):
        make_message(organization, state=state)
        make_message(organization, state=state, created_at=yesterday)
    # What waits, waits, whenever it was written.
    assert "Today 1 in 1 out 2 waiting 1 failed" in page(olga, organization)


def test_page_says_what_waits_while_disconnected(olga: User, organization: Organization) -> None:
    make_message(organization, state=State.QUEUED)
    make_message(organization, state=State.QUEUED)
    assert "2 messages wait and go out when it is connected." in page(olga, organization)


def test_page_says_what_is_held_and_offers_both_decisions(
    olga: User, bob: User, organization: Organization
) -> None:
    for _ in range(3):
        make_message(organization, state=State.HELD, reason="new_link")
    text = page(olga, organization)
    assert "3 messages are held." in text
    assert "Send 3" in text and "Drop them…" in text
    assert "Drop them…" not in page(bob, organization)


def test_page_says_why_messages_failed(bob: User, organization: Organization) -> None:
    make_message(organization, state=State.FAILED, reason="not_on_whatsapp")
    make_message(organization, state=State.FAILED, reason="not_on_whatsapp")
    make_message(organization, state=State.EXPIRED, reason="expired")
    text = page(bob, organization)
    assert "3 messages failed today. 2 × The number is not on WhatsApp." in text
    assert "1 × It could not be sent in time." in text


@pytest.mark.parametrize(
    ("show", "states"),
    [
        ("in", {State.RECEIVED, State.LOST}),
        ("out", {State.QUEUED, State.FAILED, State.UNKNOWN, State.HELD}),
        ("waiting", {State.QUEUED}),
        ("held", {State.HELD}),
        ("failed", {State.FAILED}),
        ("unknown", {State.UNKNOWN}),
        ("lost", {State.LOST}),
    ],
)
def test_filter_shows_only_these(
    olga: User, organization: Organization, show: str, states: set[str]
) -> None:
    every = (State.RECEIVED, State.LOST, State.QUEUED, State.FAILED, State.UNKNOWN, State.HELD)
    made = {make_message(organization, state=state).public_id: state for state in every}
    assert {made[key] for key in keys(olga, organization, f"?show={show}")} == states
    assert len(keys(olga, organization, "?show=nonsense")) == len(every)


def test_older_messages_are_on_further_pages(olga: User, organization: Organization) -> None:
    made = [make_message(organization, str(number)).public_id for number in range(PAGE + 2)]
    first = keys(olga, organization)
    assert first == made[:1:-1]
    html = shown(olga, reverse("messages", args=[organization.pk]))
    found = re.search(r'data-pager><a class="plain" href="([^"]+)"', html)
    assert found
    assert keys(olga, organization, found[1].replace("&amp;", "&")) == made[1::-1]
    assert "This page does not change by itself." in page(olga, organization, "?before=5")
    assert len(keys(olga, organization, "?before=" + "9" * 40)) == PAGE


def test_other_organizations_messages_are_nowhere(
    olga: User, organization: Organization, other_organization: Organization
) -> None:
    other = make_message(other_organization, "Outra coisa", state=State.FAILED)
    assert keys(olga, organization) == []
    assert "Today 0 in 0 out 0 waiting 0 failed" in page(olga, organization)
    address = reverse("message", args=[organization.pk, other.public_id])
    assert browser(olga).get(address).status_code == 404


def test_number_of_queries_does_not_grow_with_messages(
    olga: User, organization: Organization
) -> None:
    client, address = browser(olga), reverse("messages", args=[organization.pk])
    counts = []
    for number in range(31):
        make_message(organization, number=f"55119876500{number:02}", state=State.READ)
        if number in (1, 30):
            client.get(address)
            with CaptureQueriesContext(connection) as queries:
                client.get(address)
            counts.append(len(queries))
    assert counts[0] == counts[1]


def test_message_page_shows_times_ids_and_who_wrote(olga: User, organization: Organization) -> None:
    now = timezone.now()
    message = make_message(
        organization, state=State.DELIVERED, sent_at=now, delivered_at=now, actor="olga"
    )
    Message.objects.filter(pk=message.pk).update(whatsapp_id="3EB0AB12")
    html = shown(olga, reverse("message", args=[organization.pk, message.public_id]))
    for text in ("Queued", "Sent", "Delivered", message.public_id, "3EB0AB12", "olga"):
        assert text in html


@pytest.mark.parametrize(
    ("language", "states", "filters"),
    [
        ("es", "Leído Fallido Sin_confirmar", "Retenidos Fallidos Sin_confirmar"),
        ("pt-br", "Lida Falhou Sem_confirmação", "Retidas Falharam Sem_confirmação"),
    ],
)
def test_states_agree_with_the_word_for_message(
    bob: User, organization: Organization, language: str, states: str, filters: str
) -> None:
    for state in (State.UNKNOWN, State.FAILED, State.READ):
        make_message(organization, state=state, read_at=timezone.now(), ended_at=timezone.now())
    address = reverse("messages", args=[organization.pk])
    html = browser(bob).get(address, headers={"accept-language": language}).content.decode()
    last_steps = re.findall(r'class="now">([^<]+?) ?<', html)
    assert [name.replace(" ", "_") for name in last_steps] == states.split()
    links = re.findall(r'href="\?show=(?:held|failed|unknown)" >([^<]+)</a>', html)
    assert [name.replace(" ", "_") for name in links] == filters.split()
