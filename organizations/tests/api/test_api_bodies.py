"""Invalid bodies and headers: each gets an error response with a message."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import AsyncClient

from organizations.models import Organization
from organizations.tests.support.api import Api, error, root

__all__ = ["root"]

WHERE = "/api/v1/organizations"
JSON = "application/json"
TOO_LARGE = (413, "too_large", "A request may carry 64 KB at most.")


@pytest.fixture
def api(root: User) -> Api:
    return Api(root)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"\xff\xfe",
        b'{"name": "\xc3"}',
        b"\0",
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b'{"name": ' + b"9" * 5000 + b"}",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        '{"name": "x"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"name": "x"}',
        b'{"name": "\\ud800"}',
    ],
)
def test_invalid_json_gets_400(api: Api, body: bytes) -> None:
    response = api.client.post(WHERE, body, content_type=JSON)
    assert response.status_code == 400
    assert error(response)[1] in ("parse_error", "invalid")
    assert not Organization.objects.exists()


def test_half_a_character_in_a_choice_gets_400(api: Api) -> None:
    organization = Organization.objects.create(name="x")
    body = b'{"username": "carol", "role": "\\ud83d"}'
    path = f"{WHERE}/{organization.pk}/members"
    response = api.client.post(path, body, content_type=JSON)
    assert error(response) == (400, "invalid", 'role: "?" is not a valid choice.')


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "hex", "rot13", "nonsense", "utf-8"])
def test_body_is_read_as_utf8_whatever_the_charset(api: Api, charset: str) -> None:
    # With the ASGI client: `Client.post` would encode the body again.
    kind = f"{JSON}; charset={charset}"
    client = AsyncClient()
    credentials = {"Authorization": f"Bearer {api.text}"}

    @async_to_sync
    async def ask(method: str, address: str, body: bytes = b"") -> Any:
        return await client.generic(method, address, body, kind, headers=credentials)

    created = ask("POST", f"{WHERE}?q=%C3%BC", '{"name": "Ünïcode"}'.encode())
    assert (created.status_code, created.json()["name"]) == (201, "Ünïcode")
    listed = ask("GET", f"{WHERE}?q=%C3%AFcode")
    assert listed.json()["count"] == 1


def test_body_over_64_kb_gets_413(api: Api) -> None:
    fits = b'{"name": "x"' + b" " * (64 * 1024 - 13) + b"}"
    assert len(fits) == 64 * 1024
    assert api.client.post(WHERE, fits, content_type=JSON).status_code == 201
    assert error(api.client.post(WHERE, fits + b" ", content_type=JSON)) == TOO_LARGE
    assert error(api.client.put(f"{WHERE}/1", fits * 9, content_type=JSON)) == TOO_LARGE


def test_size_is_checked_before_authentication(api: Api) -> None:
    api.client.defaults["HTTP_AUTHORIZATION"] = "Bearer wrong"
    assert error(api.client.post(WHERE, b" " * 70_000, content_type=JSON)) == TOO_LARGE


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "x", ""])
def test_unsupported_media_type_gets_415(api: Api, kind: str) -> None:
    response = api.client.post(WHERE, b'{"name": "x"}', content_type=kind)
    assert error(response)[:2] == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer a b", "Basic eDp4", "Bearer \xff\xfe", "Bearer " + "a" * 9000]
)
def test_malformed_credentials_get_401(api: Api, header: str) -> None:
    response = api.client.get(WHERE, headers={"Authorization": header})
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "query", ["format=xml", "format=api", "_method=DELETE", "%FF=%FE", "q=%FF"]
)
def test_unknown_query_parameters_are_ignored(api: Api, query: str) -> None:
    assert api.client.get(f"{WHERE}?{query}").status_code == 200


def test_options_request_gets_405(api: Api) -> None:
    assert error(api.client.options(WHERE))[:2] == (405, "method_not_allowed")


def test_404_response_is_not_cached(api: Api) -> None:
    assert api("get", "/nonsense").status_code == 404
    assert api("get", "/organizations/").status_code == 404
