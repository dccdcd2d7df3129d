"""Every error under /api/ has the one shape, and tells no secrets."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings

from organizations.tests.support.users import api_client

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer


@pytest.fixture(autouse=True)
def failing_urls() -> Iterator[None]:
    with override_settings(ROOT_URLCONF="whatsapp_orgs.tests.support.failing_urls"):
        yield


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def told(answer: "Answer") -> tuple[int, str, str]:
    """Status, code and message of an error in the one shape."""
    assert answer["Content-Type"] == "application/json"
    body = answer.json()
    assert set(body) == {"success", "code", "message"}
    assert body["success"] is False
    return answer.status_code, body["code"], body["message"]


@pytest.mark.parametrize("address", ["broken", "broken-view"])
def test_an_error_of_our_own(client: Client, address: str) -> None:
    status, code, message = told(client.get(f"/api/v1/{address}"))
    assert (status, code) == (500, "error")
    assert message == "Something went wrong in the service. Its log says what."


def test_people_get_a_page(client: Client) -> None:
    answer = client.get("/broken")
    assert answer.status_code == 500
    assert answer["Content-Type"].startswith("text/html")
    assert "a secret detail" not in answer.content.decode()


def test_a_host_that_is_not_ours() -> None:
    with override_settings(ROOT_URLCONF="whatsapp_orgs.urls"):
        answer = Client(headers={"Host": "elsewhere.example"}).get("/api/v1/schema")
        page = Client(headers={"Host": "elsewhere.example"}).get("/admin/")
    assert told(answer)[:2] == (400, "bad_request")
    assert page.status_code == 400
    assert page["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nonsense",
        "organizations/",
        "organizations/x/whatsapp/status",
        "organizations/-1/",
        "a%0Ab%0A",
    ],
)
def test_an_unknown_address(client: Client, address: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    for method in (client.get, client.post, client.delete, strict.post):
        answer = told(method(f"/api/v1/{address}"))
        assert answer == (404, "not_found", "There is no such address.")


def test_an_organization_with_a_number_beyond_all_bounds(alice: User) -> None:
    answer = api_client(alice).get(f"/api/v1/organizations/{'9' * 40}/whatsapp/status")
    assert told(answer) == (404, "not_found", "Organization not found.")


def test_what_is_not_json(client: Client) -> None:
    answer = client.post("/api/v1/echo", "{", content_type="application/json")
    status, code, message = told(answer)
    assert (status, code) == (400, "parse_error")
    assert message.startswith("JSON parse error")


def test_another_format_than_json(client: Client) -> None:
    answer = client.post("/api/v1/echo", "a=b", content_type="text/plain")
    assert told(answer) == (
        415,
        "unsupported_media_type",
        'Unsupported media type "text/plain" in request.',
    )


def test_an_answer_that_we_cannot_give(client: Client) -> None:
    answer = client.get("/api/v1/invalid", headers={"Accept": "application/xml"})
    assert told(answer)[:2] == (406, "not_acceptable")


def test_a_wrong_method(client: Client) -> None:
    answer = client.put("/api/v1/echo")
    assert told(answer) == (405, "method_not_allowed", 'Method "PUT" not allowed.')
    assert "POST" in answer["Allow"]


def test_wrong_fields_become_one_message(client: Client) -> None:
    answer = told(client.get("/api/v1/invalid"))
    assert answer == (400, "invalid", "number: Digits only. Too short.")


def test_a_wait_is_told_in_the_header(client: Client) -> None:
    answer = client.get("/api/v1/slow-down")
    assert told(answer)[:2] == (429, "throttled")
    assert answer["Retry-After"] == "7"


def test_a_database_that_is_away_is_said_so_to_programs(client: Client) -> None:
    answer = client.get("/api/v1/without-database")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert (answer.json()["success"], answer.json()["code"]) == (False, "database_unavailable")
    assert "locked" not in answer.content.decode()


def test_a_database_that_is_away_is_said_so_to_people(client: Client) -> None:
    answer = client.get("/without-database")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "The database does not answer" in answer.content.decode()
