"""Owners' links, and requests about many organizations at once, over the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from connections.lifecycle import Desired, Reason, State
from connections.models import Connection, OwnerLink
from connections.owner_link.links import find_by_secret
from connections.tests.support.fake_worker import FakeWorker
from organizations.access import Actor
from organizations.actions import create_token, revoke_token
from organizations.models import ApiToken, AuditEntry, Membership, Organization
from organizations.tests.support.users import api_client

RECONNECT, LINKS = "/api/v1/whatsapp/reconnect", "/api/v1/whatsapp/owner-links"


def link_of(connection: Connection) -> str:
    return f"/api/v1/organizations/{connection.pk}/whatsapp/owner-link"


def make(user: User, name: str, role: str = "operator", **columns: object) -> Connection:
    organization = Organization.objects.create(name=name)
    Membership.objects.create(user=user, organization=organization, role=role)
    connection = Connection.objects.of(organization)
    Connection.objects.filter(pk=connection.pk).update(**columns)
    return connection


def post(client: Client, address: str, body: dict[str, Any]) -> Any:
    return client.post(address, body, content_type="application/json")


def results(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def outcomes(answer: Any) -> list[str]:
    return [result["outcome"] for result in results(answer)]


def open_link(url: str) -> OwnerLink | None:
    link = find_by_secret(url.partition("#")[2])
    return link if link and link.is_open else None


# --- Many reconnects ------------------------------------------------------------------------------


def test_each_organization_has_an_outcome(
    alice: User, other_organization: Organization, hand: FakeWorker
) -> None:
    down = {"desired": Desired.CONNECTED, "state": State.ACTION_NEEDED, "store_name": "attempt-1"}
    rows = [
        make(alice, "Down", reason=Reason.TAKEN_OVER, **down),
        make(alice, "Unlinked"),
        make(alice, "Up", **down | {"state": State.CONNECTED}, worker=hand.worker),
        make(alice, "Looked at", "viewer"),
        Connection.objects.of(other_organization),
    ]
    inactive = make(alice, "Inactive", **down)
    Organization.objects.filter(pk=inactive.pk).update(deactivated_at=timezone.now())
    ids = [*(row.pk for row in (*rows, inactive)), 999_999]
    client = api_client(alice)
    answer = post(client, RECONNECT, {"organizations": ids})
    expected = ["requested", "needs_phone", "already_connected", "permission_denied"]
    assert outcomes(answer) == [*expected, "not_found", "organization_inactive", "not_found"]
    assert [result["organization"] for result in results(answer)] == ids
    assert "Globex" not in answer.content.decode()
    requested = Connection.objects.get(pk=rows[0].pk)
    assert (requested.state, requested.generation) == (State.CONNECTING, 1)
    # The same request again lets the one in progress go on.
    assert outcomes(post(client, RECONNECT, {"organizations": ids[:1] * 2})) == ["connecting"]
    requested.refresh_from_db()
    assert requested.generation == 1


def test_limits_of_reconnects_count_for_many_too(
    alice: User, hand: FakeWorker, settings: Settings
) -> None:
    settings.RECONNECTS_PER_CALLER = 2
    down = {"state": State.ACTION_NEEDED, "reason": Reason.TAKEN_OVER, "store_name": "attempt-1"}
    ids = [make(alice, f"Shop {number}", **down).pk for number in range(3)]
    answer = post(api_client(alice), RECONNECT, {"organizations": ids})
    assert outcomes(answer) == ["requested", "requested", "too_many_requests"]
    assert 0 < results(answer)[2]["retryAfter"] <= 600


@pytest.mark.parametrize("address", [RECONNECT, LINKS])
def test_number_of_organizations_is_bounded(alice: User, address: str) -> None:
    client = api_client(alice)
    for wrong in ([], list(range(1, 102)), ["x"], [0], [2**63], "1", None):
        answer = post(client, address, {"organizations": wrong})
        assert answer.status_code == 400 and answer.json()["message"].startswith("organizations")
    assert post(client, address, {}).status_code == 400


# --- Links ----------------------------------------------------------------------------------------


def test_link_is_returned_once_and_can_be_revoked(connection: Connection, alice: User) -> None:
    client = api_client(alice)
    answer = client.generic("POST", link_of(connection))
    assert answer.status_code == 201 and answer.headers["Cache-Control"] == "no-store"
    first = answer.json()
    assert first["url"].startswith("http://testserver/link/#") and open_link(first["url"])
    answer = post(client, link_of(connection), {"expiresIn": 7200})
    second = answer.json()
    lasts = datetime.fromisoformat(second["expiresAt"]) - timezone.now()
    assert timedelta(minutes=119) < lasts <= timedelta(hours=2)
    assert open_link(second["url"]) and not open_link(first["url"])
    assert AuditEntry.objects.filter(action="owner_link_made").count() == 2
    for _repeated in range(2):
        assert client.delete(link_of(connection)).status_code == 204
    assert not open_link(second["url"])
    for wrong in (0, 59, 259_201, "x"):
        assert post(client, link_of(connection), {"expiresIn": wrong}).status_code == 400


def test_links_of_many_have_an_outcome_each(
    alice: User, other_organization: Organization, hand: FakeWorker, caplog: Any
) -> None:
    up: dict[str, Any] = {
        "desired": Desired.CONNECTED,
        "state": State.CONNECTED,
        "worker": hand.worker,
    }
    rows = [
        make(alice, "Unlinked"),
        make(alice, "Up", **up),
        make(alice, "Looked at", "viewer"),
        Connection.objects.of(other_organization),
    ]
    body = {"organizations": [row.pk for row in rows], "expiresIn": 3600}
    answer = post(api_client(alice), LINKS, body)
    assert outcomes(answer) == ["made", "already_connected", "permission_denied", "not_found"]
    url = results(answer)[0]["url"]
    link = open_link(url)
    assert link and link.connection_id == rows[0].pk
    assert results(answer)[0]["expiresAt"] == link.expires_at.isoformat()
    assert url.partition("#")[2] not in caplog.text


def test_link_of_an_organizations_token_ends_with_the_token(
    connection: Connection, alice: User
) -> None:
    own, tests = connection.organization, Actor("tests")
    token, secret = create_token(alice, "Software", tests, organization=own)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    url = post(client, link_of(connection), {}).json()["url"]
    link = open_link(url)
    assert link and link.user is None and link.actor == "API token Software"
    revoke_token(token, tests)
    assert not open_link(url)
    read = ApiToken.Scope.READ
    _token, secret = create_token(alice, "Reader", tests, organization=own, scope=read)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    assert post(client, link_of(connection), {}).status_code == 403
    body = {"organizations": [connection.pk]}
    assert outcomes(post(client, LINKS, body)) == ["permission_denied"]
