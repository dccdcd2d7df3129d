"""Tokens of the Cloud API and of the REST API never open what is the other kind's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from cloud_api.tests.support.graph import READ, SEND, Graph, details, error, graph_token
from organizations.access import Actor
from organizations.actions import IncompleteToken, create_token, revoke_token
from organizations.models import ApiToken, Organization
from organizations.tests.support.api import Api, olivia
from organizations.tests.support.api import error as rest_error

__all__ = ["olivia"]

TESTS = Actor("the tests")


def test_graph_token_opens_nothing_of_the_rest_api(organization: Organization) -> None:
    _, text = graph_token(organization)
    for path in ("organizations", f"organizations/{organization.pk}/messages", "tokens"):
        response = Client(headers={"Authorization": f"Bearer {text}"}).get(f"/api/v1/{path}")
        assert response.status_code == 401


def test_rest_token_opens_nothing_of_the_facade(organization: Organization, olivia: User) -> None:
    for own in (None, organization):
        _, text = create_token(olivia, "rest", TESTS, organization=own, message_scopes=[SEND, READ])
        client = Client(headers={"Authorization": f"Bearer {text}"})
        assert error(client.get(f"/graph/v23.0/{organization.pk}")) == (401, 190)


def test_no_token_and_a_wrong_one_get_190(organization: Organization) -> None:
    for headers in ({}, {"Authorization": "Bearer wao_wrong"}, {"Authorization": "Basic x"}):
        response = Client(headers=headers).get(f"/graph/v23.0/{organization.pk}")
        assert error(response) == (401, 190)
        assert response["WWW-Authenticate"] == "Bearer"


def test_session_opens_nothing(organization: Organization, olivia: User) -> None:
    client = Client()
    client.force_login(olivia)
    assert error(client.get(f"/graph/v23.0/{organization.pk}")) == (401, 190)
    posted = client.post(f"/graph/v23.0/{organization.pk}/messages", {})
    assert error(posted) == (401, 190)


def test_expired_and_revoked_tokens_get_190(organization: Organization) -> None:
    graph = Graph(organization)
    ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert error(graph("get", str(organization.pk))) == (401, 190)
    graph = Graph(organization)
    revoke_token(graph.token, TESTS)
    assert error(graph("get", str(organization.pk))) == (401, 190)


def test_wrong_tokens_are_limited(organization: Organization, settings: Settings) -> None:
    settings.WRONG_TOKENS_PER_ADDRESS = 1
    client = Client(headers={"Authorization": "Bearer wao_wrong"})
    assert error(client.get(f"/graph/{organization.pk}")) == (401, 190)
    refused = client.get(f"/graph/{organization.pk}")
    assert error(refused) == (429, 4)
    assert int(refused["Retry-After"]) > 0


def test_number_of_another_tenant_is_an_unknown_one(
    graph: Graph, other_organization: Organization
) -> None:
    nobody = 10**12
    for path in ("", "/phone_numbers", "/message_templates", "/subscribed_apps"):
        foreign = graph("get", f"{other_organization.pk}{path}")
        unknown = graph("get", f"{nobody}{path}")
        assert error(foreign) == error(unknown) == (400, 100)
        assert details(foreign) == details(unknown)
        assert foreign.json()["error"]["error_subcode"] == 33


def test_rest_api_makes_one_with_its_limits(olivia: User, organization: Organization) -> None:
    path = f"/organizations/{organization.pk}/tokens"
    whole = {
        "name": "chat",
        "kind": "graph",
        "messageScopes": ["messages:send"],
        "expiresAt": (timezone.now() + timedelta(days=30)).isoformat(),
    }
    api = Api(olivia)
    # A token gives no right to messages that it does not have.
    assert rest_error(api("post", path, whole))[0] == 403
    ApiToken.objects.filter(pk=api.token.pk).update(sends_messages=True)
    created = api("post", path, whole | {"scope": "manage"})
    assert created.status_code == 201
    assert (created.json()["kind"], created.json()["scope"]) == ("graph", "read")
    text = created.json()["token"]
    response = Client(headers={"Authorization": f"Bearer {text}"}).get(f"/graph/{organization.pk}")
    assert response.status_code == 200
    missing: list[dict[str, Any]] = [{"messageScopes": []}, {"expiresAt": None}]
    for without in missing:
        body = {**whole, **without}
        status, code, message = rest_error(api("post", path, body))
        assert (status, code) == (400, "invalid")
        assert message.startswith("kind: A token of the Cloud API needs")
    assert rest_error(api("post", "/tokens", whole))[0] == 400


def test_personal_token_of_the_cloud_api_cannot_be_made(olivia: User) -> None:
    with pytest.raises(IncompleteToken):
        create_token(
            olivia,
            "chat",
            TESTS,
            message_scopes=[SEND],
            expires_at=timezone.now() + timedelta(days=1),
            kind=ApiToken.Kind.GRAPH,
        )
