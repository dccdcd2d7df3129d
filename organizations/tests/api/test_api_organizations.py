"""Organizations over the REST API: listing, creating, renaming and deactivating."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from connections.models import Connection
from organizations.models import AuditEntry, Membership, Organization
from organizations.tests.support.api import (
    OWNERS_ONLY,
    SUPERUSERS_ONLY,
    UNKNOWN,
    Api,
    error,
    olivia,
    root,
)

__all__ = ["olivia", "root"]


def names(response: Any) -> list[str]:
    return [row["name"] for row in response.json()["results"]]


def audit() -> list[tuple[str, str]]:
    """Return the audit entries except those of new tokens."""
    entries = AuditEntry.objects.exclude(action="token_created").order_by("pk")
    return [(entry.action, entry.detail) for entry in entries]


@pytest.fixture
def many(db: None) -> None:
    for name in ("Banco Azul", "banco verde", "100% Pão", "Ünïcode"):
        Organization.objects.create(name=name)
    Organization.objects.filter(name="Banco Azul").update(deactivated_at=timezone.now())
    # The one is linked under WhatsApp's spelling, the other expects a phone.
    Connection.objects.create(
        organization=Organization.objects.get(name="100% Pão"), number="551187654321"
    )
    Organization.objects.filter(name="banco verde").update(expected_number="4930123456")


# --- Lists ---------------------------------------------------------------------------------------


def test_member_sees_their_organizations(
    alice: User, organization: Organization, other_organization: Organization, many: None
) -> None:
    assert Api(alice)("get", "/organizations").json() == {
        "count": 1,
        "next": None,
        "previous": None,
        "results": [
            {
                "id": organization.pk,
                "name": "Acme",
                "expectedNumber": None,
                "operatorsReadMessages": False,
                "createdAt": organization.created_at.isoformat().replace("+00:00", "Z"),
                "isActive": True,
                "role": "operator",
                "number": None,
                "state": "disconnected",
                "reason": "never_connected",
                "since": organization.connection.since.isoformat(),
                "phoneSilence": None,
            }
        ],
    }


def test_role_matches_the_callers_permissions(
    alice: User, bob: User, olivia: User, root: User, organization: Organization
) -> None:
    def role(api: Api) -> str:
        (row,) = api("get", "/organizations").json()["results"]
        assert api("get", f"/organizations/{row['id']}").json() == row
        return str(row["role"])

    assert [role(Api(user)) for user in (alice, bob, olivia, root)] == [
        "operator",
        "viewer",
        "owner",
        "owner",
    ]
    assert role(Api(olivia, "read")) == role(Api(root, "read")) == "viewer"
    assert role(Api(root, "manage", organization)) == "operator"
    assert role(Api(root, "read", organization)) == "viewer"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["100% Pão", "Banco Azul", "banco verde", "Ünïcode"]),
        ("?active=true", ["100% Pão", "banco verde", "Ünïcode"]),
        ("?active=false", ["Banco Azul"]),
        ("?q=banco", ["Banco Azul", "banco verde"]),
        ("?q=%25", ["100% Pão"]),
        ("?q=", ["100% Pão", "Banco Azul", "banco verde", "Ünïcode"]),
        ("?q=banco&active=true", ["banco verde"]),
        ("?q=UNICODE", ["Ünïcode"]),
        ("?q=p%C3%A3o", ["100% Pão"]),
        ("?q=%2B55+11+98765-4321", ["100% Pão"]),
        ("?q=%2B49+30+123456", ["banco verde"]),
        ("?ordering=-name", ["Ünïcode", "banco verde", "Banco Azul", "100% Pão"]),
        ("?ordering=createdAt", ["Banco Azul", "banco verde", "100% Pão", "Ünïcode"]),
        ("?ordering=-createdAt", ["Ünïcode", "100% Pão", "banco verde", "Banco Azul"]),
        ("?pageSize=2&page=2", ["banco verde", "Ünïcode"]),
    ],
)
def test_list_is_filtered_and_ordered(root: User, many: None, query: str, found: list[str]) -> None:
    assert names(Api(root)("get", f"/organizations{query}")) == found


def test_list_is_paginated(root: User, many: None) -> None:
    first = Api(root)("get", "/organizations?pageSize=3&q=").json()
    assert (first["count"], first["previous"]) == (4, None)
    address = first["next"].removeprefix("http://testserver/api/v1")
    second = Api(root)("get", address).json()
    assert (second["next"], len(second["results"])) == (None, 1)
    assert second["previous"].startswith("http://testserver/api/v1/organizations?")


@pytest.mark.parametrize(
    "query",
    [
        "active=maybe",
        "ordering=color",
        "page=0",
        "page=last",
        "page=" + "9" * 5000,
        "pageSize=201",
        "pageSize=x",
        "q=a%00b",
        "q=" + "a" * 201,
    ],
)
def test_invalid_parameter_is_named_in_the_message(root: User, many: None, query: str) -> None:
    status, code, message = error(Api(root)("get", f"/organizations?{query}"))
    assert (status, code) == (400, "invalid")
    assert message.startswith(query.split("=")[0] + ": ")


def test_page_after_the_last_gets_404(root: User, many: None) -> None:
    response = Api(root)("get", "/organizations?page=99999999999999999999")
    assert error(response) == (404, "not_found", "Invalid page.")


def test_number_of_queries_does_not_depend_on_rows(
    alice: User, many: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    api = Api(alice)
    for organization in Organization.objects.exclude(memberships__user=alice):
        Membership.objects.create(user=alice, organization=organization, role="viewer")
    api("get", "/organizations")
    # The token, missing connections, the count, the rows, the roles; connections and workers.
    with django_assert_num_queries(8):
        assert len(names(api("get", "/organizations"))) == 5


# --- Creating and changing -----------------------------------------------------------------------


def test_superuser_creates_an_organization(root: User) -> None:
    response = Api(root)("post", "/organizations", {"name": "  Padaria Estrela "})
    assert response.status_code == 201
    created = Organization.objects.get()
    assert (created.name, response.json()["id"]) == ("Padaria Estrela", created.pk)
    entry = AuditEntry.objects.get(action="organization_created")
    assert (entry.actor, entry.address) == ("root (API token a test)", "127.0.0.1")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "name: This field is required."),
        ({"name": ""}, "name: This field may not be blank."),
        ({"name": " \n "}, "name: This field may not be blank."),
        ({"name": None}, "name: This field may not be null."),
        ({"name": ["x"]}, "name: Not a valid string."),
        ({"name": 7}, "name: Not a valid string."),
        ({"name": "a" * 201}, "name: Ensure this field has no more than 200 characters."),
        (
            {"name": "a\0b"},
            "name: Remove the control character U+0000. Null characters are not allowed.",
        ),
        ([], "Invalid data. Expected a dictionary, but got list."),
        ('"x"', "Invalid data. Expected a dictionary, but got str."),
    ],
)
def test_invalid_name_gets_400(root: User, body: Any, message: str) -> None:
    response = Api(root)("post", "/organizations", body)
    assert error(response) == (400, "invalid", message)
    assert not Organization.objects.exists()


def test_only_superusers_create_and_deactivate(
    alice: User, olivia: User, root: User, organization: Organization
) -> None:
    own = Api(root, "manage", organization)
    for api in (Api(alice), Api(olivia), Api(root, "read"), own):
        assert error(api("post", "/organizations", {"name": "New"})) == SUPERUSERS_ONLY
        assert error(api("delete", f"/organizations/{organization.pk}")) == SUPERUSERS_ONLY
    assert audit() == []


def test_owner_renames_an_organization(olivia: User, organization: Organization) -> None:
    api = Api(olivia)
    for _ in range(2):
        response = api("patch", f"/organizations/{organization.pk}", {"name": "Acme 2"})
        assert (response.status_code, response.json()["name"]) == (200, "Acme 2")
    assert audit() == [("organization_renamed", "Acme → Acme 2")]


def test_put_of_the_get_response_changes_nothing(olivia: User, organization: Organization) -> None:
    api = Api(olivia)
    read = api("get", f"/organizations/{organization.pk}").json()
    response = api("put", f"/organizations/{organization.pk}", read)
    assert (response.status_code, response.json()) == (200, read)
    assert error(api("put", f"/organizations/{organization.pk}", {"isActive": True})) == (
        400,
        "invalid",
        "name: This field is required.",
    )
    assert audit() == []


def test_only_a_superuser_deactivates_and_reactivates(
    olivia: User, root: User, organization: Organization
) -> None:
    path = f"/organizations/{organization.pk}"
    refused = Api(olivia)("patch", path, {"isActive": False, "name": "Gone"})
    assert error(refused) == SUPERUSERS_ONLY
    assert audit() == []
    api = Api(root)
    assert api("patch", path, {"isActive": False}).json()["isActive"] is False
    for _ in range(2):
        response = api("delete", path)
        assert (response.status_code, response.content) == (204, b"")
    assert Api(olivia)("get", path).json()["isActive"] is False
    assert api("put", path, {"name": "Acme", "isActive": True}).json()["isActive"] is True
    assert audit() == [("organization_deactivated", ""), ("organization_reactivated", "")]


@pytest.mark.parametrize("value", [0, 1, "no", "false", None, []])
def test_non_boolean_is_active_gets_400(root: User, organization: Organization, value: Any) -> None:
    response = Api(root)("patch", f"/organizations/{organization.pk}", {"isActive": value})
    assert error(response)[:2] == (400, "invalid")
    assert error(response)[2].startswith("isActive: ")
    assert audit() == []


def test_viewers_and_operators_get_403(
    alice: User, bob: User, olivia: User, organization: Organization
) -> None:
    own = Api(olivia, "manage", organization)
    for api in (Api(alice), Api(bob), Api(olivia, "read"), own):
        for method in ("put", "patch"):
            response = api(method, f"/organizations/{organization.pk}", {"name": "Mine"})
            assert error(response) == OWNERS_ONLY
    assert audit() == []


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_outsiders_get_404(charlie: User, organization: Organization, method: str) -> None:
    for number in (organization.pk, 999_999, "9" * 40):
        assert error(Api(charlie)(method, f"/organizations/{number}", {"name": "x"})) == UNKNOWN
