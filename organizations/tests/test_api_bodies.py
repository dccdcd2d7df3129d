"""Bodies and headers that no client should send: each gets an answer that says what is wrong."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import AsyncClient

from organizations.models import Organization
from organizations.tests.api import Api, error, root

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
def test_what_is_no_json_is_no_error_of_ours(api: Api, body: bytes) -> None:
    answer = api.client.post(WHERE, body, content_type=JSON)
    assert answer.status_code == 400
    assert error(answer)[1] in ("parse_error", "invalid")
    assert not Organization.objects.exists()


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "hex", "rot13", "nonsense", "utf-8"])
def test_json_is_utf8_whatever_the_header_says(api: Api, charset: str) -> None:
    # As under ASGI, and not by `post`, which would encode the body anew.
    kind = f"{JSON}; charset={charset}"
    client = AsyncClient()
    credentials = {"Authorization": f"Bearer {api.text}"}

    @async_to_sync
    async def ask(method: str, address: str, body: bytes = b"") -> Any:
        return await client.generic(method, address, body, kind, headers=credentials)

    made = ask("POST", f"{WHERE}?q=%C3%BC", '{"name": "Ünïcode"}'.encode())
    assert (made.status_code, made.json()["name"]) == (201, "Ünïcode")
    listed = ask("GET", f"{WHERE}?q=%C3%AFcode")
    assert listed.json()["count"] == 1


def test_64_kb_are_enough_for_everyone(api: Api) -> None:
    fits = b'{"name": "x"' + b" " * (64 * 1024 - 13) + b"}"
    assert len(fits) == 64 * 1024
    assert api.client.post(WHERE, fits, content_type=JSON).status_code == 201
    assert error(api.client.post(WHERE, fits + b" ", content_type=JSON)) == TOO_LARGE
    assert error(api.client.put(f"{WHERE}/1", fits * 9, content_type=JSON)) == TOO_LARGE


def test_the_size_is_looked_at_first(api: Api) -> None:
    api.client.defaults["HTTP_AUTHORIZATION"] = "Bearer wrong"
    assert error(api.client.post(WHERE, b" " * 70_000, content_type=JSON)) == TOO_LARGE


def test_a_body_without_a_length(api: Api) -> None:
    answer = api.client.post(WHERE, headers={"Transfer-Encoding": "chunked"}, content_type=JSON)
    assert error(answer)[:2] == (411, "length_required")


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "x", ""])
def test_another_format(api: Api, kind: str) -> None:
    answer = api.client.post(WHERE, b'{"name": "x"}', content_type=kind)
    assert error(answer)[:2] == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer a b", "Basic eDp4", "Bearer \xff\xfe", "Bearer " + "a" * 9000]
)
def test_credentials_that_are_none(api: Api, header: str) -> None:
    answer = api.client.get(WHERE, headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "query", ["format=xml", "format=api", "_method=DELETE", "%FF=%FE", "q=%FF"]
)
def test_odd_parameters_are_left_alone(api: Api, query: str) -> None:
    assert api.client.get(f"{WHERE}?{query}").status_code == 200


def test_options_are_in_the_document(api: Api) -> None:
    assert error(api.client.options(WHERE))[:2] == (405, "method_not_allowed")


def test_unknown_addresses_are_kept_nowhere_either(api: Api) -> None:
    assert api("get", "/nonsense").status_code == 404
    assert api("get", "/organizations/").status_code == 404
