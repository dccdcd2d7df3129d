"""Errors under /api/ have one format and expose no details; pages get HTML."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings

from organizations.tests.support.users import api_client

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Response


@pytest.fixture(autouse=True)
def failing_urls() -> Iterator[None]:
    with override_settings(ROOT_URLCONF="whatsapp_orgs.tests.support.failing_urls"):
        yield


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def parse_error(response: "Response") -> tuple[int, str, str]:
    """Return status, code and message of an error response."""
    assert response["Content-Type"] == "application/json"
    body = response.json()
    assert set(body) == {"success", "code", "message"}
    assert body["success"] is False
    return response.status_code, body["code"], body["message"]


@pytest.mark.parametrize("path", ["broken", "broken-view"])
def test_bug_in_the_api_gets_500(client: Client, path: str) -> None:
    status, code, message = parse_error(client.get(f"/api/v1/{path}"))
    assert (status, code) == (500, "error")
    assert message == "Something went wrong in the service. Its log says what."


def test_bug_in_a_page_gets_500_without_details(client: Client) -> None:
    response = client.get("/broken")
    assert response.status_code == 500
    assert response["Content-Type"].startswith("text/html")
    assert "a secret detail" not in response.content.decode()


def test_unknown_host_gets_400() -> None:
    with override_settings(ROOT_URLCONF="whatsapp_orgs.urls"):
        response = Client(headers={"Host": "elsewhere.example"}).get("/api/v1/schema")
        page = Client(headers={"Host": "elsewhere.example"}).get("/admin/")
    assert parse_error(response)[:2] == (400, "bad_request")
    assert page.status_code == 400
    assert page["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nonsense",
        "organizations/",
        "organizations/x/whatsapp/status",
        "organizations/-1/",
        "a%0Ab%0A",
    ],
)
def test_unknown_path_gets_404(client: Client, path: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    for method in (client.get, client.post, client.delete, strict.post):
        response = parse_error(method(f"/api/v1/{path}"))
        assert response == (404, "not_found", "There is no such address.")


def test_huge_organization_id_gets_404(alice: User) -> None:
    response = api_client(alice).get(f"/api/v1/organizations/{'9' * 40}/whatsapp/status")
    assert parse_error(response) == (404, "not_found", "Organization not found.")


def test_invalid_json_gets_400(client: Client) -> None:
    response = client.post("/api/v1/echo", "{", content_type="application/json")
    status, code, message = parse_error(response)
    assert (status, code) == (400, "parse_error")
    assert message.startswith("JSON parse error")


def test_body_of_another_type_gets_415(client: Client) -> None:
    response = client.post("/api/v1/echo", "a=b", content_type="text/plain")
    assert parse_error(response) == (
        415,
        "unsupported_media_type",
        'Unsupported media type "text/plain" in request.',
    )


def test_unsupported_accept_header_gets_406(client: Client) -> None:
    response = client.get("/api/v1/invalid", headers={"Accept": "application/xml"})
    assert parse_error(response)[:2] == (406, "not_acceptable")


def test_wrong_method_gets_405(client: Client) -> None:
    response = client.put("/api/v1/echo")
    assert parse_error(response) == (405, "method_not_allowed", 'Method "PUT" not allowed.')
    assert "POST" in response["Allow"]


def test_invalid_fields_are_joined_into_one_message(client: Client) -> None:
    response = parse_error(client.get("/api/v1/invalid"))
    assert response == (400, "invalid", "number: Digits only. Too short.")


def test_throttled_request_gets_429_with_retry_after(client: Client) -> None:
    response = client.get("/api/v1/slow-down")
    assert parse_error(response)[:2] == (429, "throttled")
    assert response["Retry-After"] == "7"


def test_unavailable_database_gets_503_in_the_api(client: Client) -> None:
    response = client.get("/api/v1/without-database")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert (response.json()["success"], response.json()["code"]) == (False, "database_unavailable")
    assert "locked" not in response.content.decode()


@pytest.mark.parametrize("path", ["without-database", "read-only-database"])
def test_unavailable_database_gets_503_as_a_page(client: Client, path: str) -> None:
    response = client.get(f"/{path}")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert "The database does not answer" in response.content.decode()
