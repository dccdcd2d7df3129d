"""Connections in Django admin: who sees what, and what the buttons do."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from connections import actions, simulator_bridge
from connections.lifecycle import Desired, Reason, State
from connections.models import Connection
from connections.tests.support.fake_worker import CODE, FakeWorker
from organizations.access import Actor
from organizations.models import Membership, Organization

ALICE = Actor("alice")
JSON = {"Accept": "application/json"}


def page(organization: Organization, action: str = "change") -> str:
    return reverse(f"admin:connections_connection_{action}", args=[organization.pk])


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def get(user: User, address: str) -> Any:
    """An answer, with the context it was drawn from."""
    return browser(user).get(address)


def text(response: Any) -> str:
    return str(response.content.decode())


@pytest.fixture
def simulated(settings: Settings) -> None:
    settings.WHATSAPP_SERVER = "simulator"


# --- Who sees what ------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["change", "reconnect", "disconnect"])
def test_outsider_gets_404(organization: Organization, charlie: User, action: str) -> None:
    client = browser(charlie)
    method = client.post if action == "reconnect" else client.get
    assert method(page(organization, action)).status_code == 404
    assert not Connection.objects.filter(pk=organization.pk).exists()


@pytest.mark.parametrize("number", ["0", "999999", "9" * 40, "x", "١"])
def test_unknown_organization_gets_404(admin_client: Client, number: str) -> None:
    assert admin_client.get(f"/admin/connections/connection/{number}/change/").status_code == 404


def test_anonymous_and_non_staff_are_redirected_to_the_login(
    organization: Organization, alice: User
) -> None:
    User.objects.filter(pk=alice.pk).update(is_staff=False)
    for client in (Client(), browser(alice)):
        response = client.get(page(organization))
        assert response.status_code == 302
        assert response.headers["Location"].startswith("/admin/login/")


def test_page_of_a_new_organization_creates_its_connection(
    organization: Organization, alice: User
) -> None:
    response = get(alice, page(organization))
    assert "This organization has not been connected yet." in text(response)
    assert response.context["status"]["canReconnect"]


def test_operator_sees_the_code_without_javascript(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.show_code(connection)
    html = text(get(alice, page(connection.organization)))
    assert 'src="data:image/svg+xml;base64,' in html
    assert "Code 1 of 6" in html


def test_viewer_sees_no_code_and_no_buttons(
    connection: Connection, bob: User, hand: FakeWorker, simulated: None
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.show_code(connection)
    html = text(get(bob, page(connection.organization)))
    assert "A QR code is waiting to be scanned." in html
    assert "Only operators and owners" in html
    assert "Reconnecting was requested." in html and "by alice" in html
    assert "data:image" not in html
    assert "data-reconnect" not in html and "simulated phone" not in html
    assert 'data-can="canDisconnect"' not in html


def test_superuser_sees_every_organization(
    connection: Connection, other_organization: Organization, admin_client: Client
) -> None:
    html = text(admin_client.get(reverse("admin:connections_connection_changelist")))
    assert "Acme" in html and "Globex" in html
    assert admin_client.get(page(other_organization)).status_code == 200


def test_list_has_own_organizations_with_links_to_their_pages(
    organization: Organization, other_organization: Organization, bob: User
) -> None:
    html = text(get(bob, reverse("admin:connections_connection_changelist")))
    assert page(organization) in html and "Disconnected" in html
    assert "Globex" not in html


def test_list_shows_that_no_worker_runs(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    address = reverse("admin:connections_connection_changelist")
    actions.request_reconnect(connection.pk, ALICE)
    hand.link(connection)
    html = text(get(alice, address))
    assert "WhatsApp is connected." in html and "+55 11 98765-4321" in html
    hand.die()
    assert "Service offline" in text(get(alice, address))


def test_organization_pages_link_to_the_connection(
    organization: Organization, bob: User, admin_client: Client
) -> None:
    change = reverse("admin:organizations_organization_change", args=[organization.pk])
    changelist = reverse("admin:organizations_organization_changelist")
    for client in (admin_client, browser(bob)):
        for address in (change, changelist):
            assert page(organization) in client.get(address).content.decode()


def test_page_may_load_only_its_own_files(organization: Organization, alice: User) -> None:
    response = get(alice, page(organization))
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert "no-store" in response.headers["Cache-Control"]
    html = text(response)
    assert "style=" not in html and "onclick=" not in html


# --- The buttons --------------------------------------------------------------------------------


def test_reconnect_button_requests_and_redirects(connection: Connection, alice: User) -> None:
    response = browser(alice).post(page(connection.organization, "reconnect"))
    assert response.status_code == 302
    assert response.headers["Location"] == page(connection.organization)
    connection.refresh_from_db()
    assert connection.desired == Desired.CONNECTED
    event = connection.events.get()
    assert (event.actor, event.user) == ("alice", alice)


def test_script_gets_json(connection: Connection, alice: User) -> None:
    response = browser(alice).post(page(connection.organization, "reconnect"), headers=JSON)
    assert response.json() == {"success": True, "message": "Reconnecting has begun."}


def test_reconnect_of_a_connected_connection_shows_the_refusal(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.link(connection)
    response = browser(alice).post(page(connection.organization, "reconnect"), headers=JSON)
    assert response.status_code == 409
    assert response.json()["message"] == "WhatsApp is already connected"


def test_disconnect_asks_for_confirmation(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.link(connection)
    address = page(connection.organization, "disconnect")
    html = text(get(alice, address))
    assert "is unlinked at WhatsApp" in html and "credentials saved on this server" in html
    assert "needs a new QR code" in html
    connection.refresh_from_db()
    assert connection.desired == Desired.CONNECTED
    assert browser(alice).post(address).status_code == 302
    connection.refresh_from_db()
    assert connection.desired == Desired.DISCONNECTED and connection.logout_pending


@pytest.mark.parametrize("action", ["reconnect", "disconnect", "scan"])
def test_viewer_gets_403_for_a_request(
    organization: Organization, bob: User, action: str, simulated: None
) -> None:
    assert browser(bob).post(page(organization, action)).status_code == 403
    assert not Connection.objects.filter(desired=Desired.CONNECTED).exists()


@pytest.mark.parametrize("action", ["reconnect", "disconnect", "scan"])
def test_form_without_csrf_token_is_refused(
    organization: Organization, alice: User, action: str, simulated: None
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(page(organization, action)).status_code == 403


@pytest.mark.parametrize("action", ["reconnect", "scan"])
def test_get_changes_nothing(
    organization: Organization, alice: User, action: str, simulated: None
) -> None:
    assert browser(alice).get(page(organization, action)).status_code == 405


# --- The simulated phone ------------------------------------------------------------------------


def test_scan_without_the_simulator_gets_404(
    organization: Organization, alice: User, settings: Settings
) -> None:
    settings.WHATSAPP_SERVER = "live"
    assert "simulated phone" not in text(get(alice, page(organization)))
    assert browser(alice).post(page(organization, "scan")).status_code == 404


def test_scan_without_a_code_is_refused(
    organization: Organization, alice: User, simulated: None
) -> None:
    response = browser(alice).post(page(organization, "scan"), headers=JSON)
    assert response.json() == {
        "success": False,
        "message": "There is no QR code to scan right now.",
    }


def test_scan_uses_the_code_that_is_shown(
    connection: Connection,
    alice: User,
    hand: FakeWorker,
    simulated: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scanned: list[str] = []
    monkeypatch.setattr(simulator_bridge, "scan", scanned.append)
    actions.request_reconnect(connection.pk, ALICE)
    hand.show_code(connection)
    response = browser(alice).post(page(connection.organization, "scan"), headers=JSON)
    assert response.json()["success"]
    assert scanned == [CODE]


def test_scan_without_a_running_simulator_shows_the_problem(
    connection: Connection, alice: User, hand: FakeWorker, simulated: None, settings: Settings
) -> None:
    settings.SIMULATOR_STATE = settings.DATA_DIR / "no such file"
    actions.request_reconnect(connection.pk, ALICE)
    hand.show_code(connection)
    response = browser(alice).post(page(connection.organization, "scan"), headers=JSON)
    assert response.status_code == 409
    assert "The simulated phone could not scan the code" in response.json()["message"]


# --- What admin must not do ---------------------------------------------------------------------


def test_connections_cannot_be_added_or_deleted(
    connection: Connection, admin_client: Client
) -> None:
    assert admin_client.get(reverse("admin:connections_connection_add")).status_code == 403
    for method in (admin_client.get, admin_client.post):
        assert method(page(connection.organization, "delete")).status_code == 404
    assert admin_client.post(page(connection.organization)).status_code == 405


def test_removed_member_gets_404(connection: Connection, alice: User, hand: FakeWorker) -> None:
    client = browser(alice)
    assert client.get(page(connection.organization)).status_code == 200
    Membership.objects.filter(user=alice).delete()
    assert client.get(page(connection.organization)).status_code == 404


def test_button_that_helps_is_offered_after_the_end(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    fence = hand.link(connection)
    actions.record_event(fence, Reason.LOGGED_OUT_BY_PHONE)
    response = get(alice, page(connection.organization))
    assert "The phone unlinked this device." in text(response)
    told = response.context["status"]
    assert told["state"] == State.ACTION_NEEDED and told["canReconnect"]
