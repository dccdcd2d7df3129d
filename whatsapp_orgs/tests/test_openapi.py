"""The OpenAPI document is complete and valid, and its page is safe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver
from drf_spectacular.generators import SchemaGenerator
from pytest_django import Settings

from whatsapp_orgs import api

METHODS = {"get", "post", "put", "patch", "delete"}
UNDOCUMENTED = {"schema", "schema.yaml", "docs"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    response: dict[str, Any] = Client().get("/api/v1/schema").json()
    return response


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in METHODS & set(methods):
            yield f"{method} {path}", methods[method]


def routes(patterns: list[Any], before: str = "") -> Iterator[str]:
    """Yield the routes of the API, with {} for each parameter."""
    for pattern in patterns:
        here = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, here)
        elif isinstance(pattern, URLPattern) and pattern.callback is not api.not_found:
            yield re.sub(r"<[^>]+>", "{}", here)


def test_document_is_valid_without_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn")
    assert capsys.readouterr().out.startswith("openapi: 3.1.1\n")


def test_document_has_every_route(document: dict[str, Any]) -> None:
    documented = {re.sub(r"{[^}]+}", "{}", path) for path in document["paths"]}
    existing = {f"/api/v1/{route}" for route in set(routes(api.urlpatterns)) - UNDOCUMENTED}
    assert documented == existing


def test_every_operation_has_an_id_and_needs_a_token(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(names) == len(set(names)) == 88
    assert all(operation["security"] == [{"bearer": []}] for _, operation in operations(document))
    scheme = document["components"]["securitySchemes"]["bearer"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


def test_every_response_and_body_has_an_example(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        responses = operation["responses"]
        assert {"401", "406", "429"} <= set(responses), name
        bodies = [*responses.values(), *filter(None, [operation.get("requestBody")])]
        for body in bodies:
            for content_type, content in body.get("content", {}).items():
                assert content.get("examples") or content_type.startswith("image/"), name
        for status, response in responses.items():
            if status >= "400":
                for example in response["content"]["application/json"]["examples"].values():
                    assert set(example["value"]) == {"success", "code", "message"}, name


@pytest.mark.parametrize(
    "field",
    [
        *("Media.size", "LogEvent.sequence", "Feed.next", "Delivery.sequence", "Replay.toSequence"),
        *("Organization.id", "Member.id", "EndedAttempt.id", "Removal.mediaBytesDeleted"),
    ],
)
def test_number_that_may_need_64_bits_says_so(document: dict[str, Any], field: str) -> None:
    schema, _, name = field.partition(".")
    assert document["components"]["schemas"][schema]["properties"][name]["format"] == "int64"


def test_document_is_made_once_whatever_a_request_asks(
    document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("it was made again")

    monkeypatch.setattr(SchemaGenerator, "get_schema", fail)
    for query in ("", "?lang=es", "?version=2"):
        assert Client().get(f"/api/v1/schema{query}").json() == document


@pytest.mark.parametrize(
    ("path", "accept", "content_type"),
    [
        ("schema", "*/*", "application/json"),
        ("schema", "application/yaml", "application/yaml"),
        ("schema.yaml", "*/*", "application/yaml"),
    ],
)
def test_document_is_served_as_json_and_yaml(
    document: dict[str, Any], path: str, accept: str, content_type: str
) -> None:
    response = Client().get(f"/api/v1/{path}", headers={"Accept": accept})
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    assert response["Content-Type"].startswith(content_type)
    assert yaml.safe_load(response.content) == document


def test_page_loads_only_own_files_in_english(settings: Settings) -> None:
    headers = {"Accept": "text/html", "Accept-Language": "pt-BR"}
    response = Client().get("/api/v1/docs", headers=headers)
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    # As all pages: no inline scripts, no inline styles.
    assert "default-src 'self'" in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]
    page = response.content.decode()
    assert '<html lang="en">' in page
    assert re.findall(r"<script>|<style|\son\w+=|javascript:", page) == []
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert all(re.match(r"/(?!/)|#/", source) for source in sources)
    tags = [tag["name"] for tag in settings.SPECTACULAR_SETTINGS["TAGS"]]
    assert [source[2:] for source in sources if source[0] == "#"] == tags


def test_tags_of_operations_are_described(document: dict[str, Any]) -> None:
    used = {tag for _, operation in operations(document) for tag in operation["tags"]}
    assert {tag["name"] for tag in document["tags"]} == used


def test_introduction_has_the_address_that_was_asked() -> None:
    answer = Client().get("/api/v1/schema", headers={"Host": "localhost:9000"}).json()
    introduction = answer["info"]["description"]
    assert "API=http://localhost:9000/api/v1\n" in introduction and ":8000" not in introduction
    # Only `make run` has the file; what is deployed does not tell where its data is.
    assert "var/run.json" in introduction


def test_introduction_names_what_the_document_has(document: dict[str, Any]) -> None:
    introduction = document["info"]["description"]
    called = re.findall(r"\$ORG/([\w./-]+)", introduction)
    known = {re.sub(r"{[^}]+}", "1", path) for path in document["paths"]}
    assert called and {f"/api/v1/organizations/1/{path}" for path in called} <= known
    errors = introduction.partition("## Errors")[2].partition("## Limits")[0]
    codes = re.findall(r'"code": "(\w+)"', errors) + re.findall(r"`([a-z]+_[a-z]+)`", errors)
    answers = str([operation["responses"] for _, operation in operations(document)])
    assert len(codes) == 3 and all(f"'code': '{code}'" in answers for code in codes)


@pytest.mark.parametrize(
    ("method", "path", "accept", "error"),
    [
        ("get", "docs", "application/json", (406, "not_acceptable")),
        ("post", "docs", "text/html", (405, "method_not_allowed")),
        ("get", "schema", "image/png", (406, "not_acceptable")),
        ("put", "schema.yaml", "application/yaml", (405, "method_not_allowed")),
    ],
)
def test_errors_have_the_format_of_the_api(
    method: str, path: str, accept: str, error: tuple[int, str]
) -> None:
    response = getattr(Client(), method)(f"/api/v1/{path}", headers={"Accept": accept})
    assert (response.status_code, response.json()["code"]) == error
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"
