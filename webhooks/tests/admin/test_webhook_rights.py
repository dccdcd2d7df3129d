"""Who sees what on the pages about webhooks, and who has which buttons."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from events.models import Event
from organizations.models import Organization
from organizations.tests.support.adminpages import browser, shown
from webhooks.models import Delivery, Endpoint
from webhooks.tests.support.events import append, make_endpoint
from webhooks.tests.support.past import HOST, SECRET_PATH, URL, deliver

TEXT, ANSWER = "O segredo é mel", "The receiver says thanks"
BUTTONS = {
    "Add a webhook": "add",
    "Send a test event": "test",
    "Pause": "pause",
    "Replay from…": "replay",
    "Change…": "change",
    "Rotate secret…": "rotate",
    "Delete…": "delete",
    "Send again": "resend",
}


@pytest.fixture
def pages(delivery: Delivery) -> list[str]:
    """The list, the endpoint and its delivery."""
    event = Event.objects.get()
    event.data = {"id": "m", "text": {"body": TEXT}}
    event.save()
    return pages_of(delivery)


def pages_of(delivery: Delivery) -> list[str]:
    endpoint = delivery.endpoint
    own = [] if endpoint.organization_id is None else [endpoint.organization_id]
    one = [*own, endpoint.public_id]
    return [
        reverse("webhooks", args=own),
        reverse("webhook", args=one),
        reverse("webhook_delivery", args=[*one, delivery.public_id]),
    ]


def html_of(user: User, pages: list[str]) -> str:
    return "".join(shown(user, page) for page in pages)


def buttons(html: str) -> set[str]:
    return {name for text, name in BUTTONS.items() if f">{text}<" in html}


def seen(html: str) -> set[str]:
    return {part for part in (SECRET_PATH, TEXT, ANSWER, HOST, "curl ") if part in html}


def test_owner_sees_address_texts_and_all_buttons(olga: User, pages: list[str]) -> None:
    html = html_of(olga, pages)
    assert seen(html) == {SECRET_PATH, TEXT, ANSWER, HOST, "curl "}
    assert buttons(html) == set(BUTTONS.values())


def test_operator_sees_host_and_repeats(alice: User, pages: list[str]) -> None:
    html = html_of(alice, pages)
    assert seen(html) == {HOST}
    assert buttons(html) == {"test", "replay", "resend"}


def test_operator_reads_texts_if_an_owner_allows_it_but_no_address(
    alice: User, pages: list[str]
) -> None:
    Organization.objects.update(operators_read_messages=True)
    assert seen(html_of(alice, pages)) == {HOST, TEXT, ANSWER}


def test_viewer_sees_host_and_states_only(bob: User, pages: list[str]) -> None:
    html = html_of(bob, pages)
    assert seen(html) == {HOST} and buttons(html) == set()
    assert "Delivered" in html and "120 ms" in html


def test_administrator_pauses_and_repeats_but_sees_no_text(root: User, pages: list[str]) -> None:
    html = html_of(root, pages)
    assert seen(html) == {HOST}
    assert buttons(html) == {"test", "pause", "replay", "delete", "resend"}


def test_administrator_owns_the_endpoints_of_the_installation(
    root: User, organization: Organization
) -> None:
    endpoint = make_endpoint(None, URL)
    append(organization)
    html = html_of(root, pages_of(deliver(endpoint, 1)))
    assert SECRET_PATH in html and buttons(html) == set(BUTTONS.values())


def test_administrator_reads_what_the_installation_sent_only_for_a_reason(
    root: User, organization: Organization, delivery: Delivery, pages: list[str]
) -> None:
    Endpoint.objects.update(organization=None)
    page = reverse("webhook_delivery", args=[delivery.endpoint.public_id, delivery.public_id])
    client = browser(root)
    assert seen(client.get(page).content.decode()) == {HOST}
    reason = {"reason": "A customer asked us to look."}
    client.post(reverse("messages_open", args=[organization.pk]), reason)
    html = client.get(page).content.decode()
    assert TEXT in html and ANSWER in html


def test_outsider_gets_404(charlie: User, pages: list[str]) -> None:
    for page in pages:
        assert browser(charlie).get(page).status_code == 404


@pytest.mark.parametrize("user", ["olga", "alice", "bob"])
def test_endpoints_of_the_installation_are_for_administrators(
    user: str, organization: Organization, request: pytest.FixtureRequest
) -> None:
    endpoint = make_endpoint(None, URL)
    append(organization)
    pages = pages_of(deliver(endpoint, 1))
    client = browser(request.getfixturevalue(user))
    assert HOST not in client.get(pages[0]).content.decode()
    assert [client.get(page).status_code for page in pages] == [200, 403, 403]


def test_endpoint_of_another_organization_is_not_found(
    olga: User, other_organization: Organization, organization: Organization
) -> None:
    other = make_endpoint(other_organization, URL)
    for name in ("webhook", "webhook_edit", "webhook_rotate", "webhook_delete", "webhook_replay"):
        address = reverse(name, args=[organization.pk, other.public_id])
        assert browser(olga).get(address).status_code == 404


@pytest.mark.parametrize("user", ["bob", "root"])
def test_hidden_columns_are_not_read_from_the_database(
    user: str, pages: list[str], request: pytest.FixtureRequest
) -> None:
    client = browser(request.getfixturevalue(user))
    for page in pages:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(page).status_code == 200
        columns = " ".join(query["sql"].partition(" FROM ")[0] for query in queries)
        assert '"webhooks_attempt"."answer"' not in columns
        assert '"events_event"."data"' not in columns


def test_no_page_shows_a_secret_again(
    olga: User, pages: list[str], endpoint: Endpoint, delivery: Delivery
) -> None:
    own = [endpoint.organization_id, endpoint.public_id]
    more = [reverse(f"webhook_{name}", args=own) for name in ("edit", "rotate", "delete", "replay")]
    assert endpoint.secret not in html_of(olga, [*pages, *more])
