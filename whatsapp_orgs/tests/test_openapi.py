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

from whatsapp_orgs import api

METHODS = {"get", "post", "put", "patch", "delete"}
NOT_IN_IT = {"schema", "schema.yaml", "docs"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    answer: dict[str, Any] = Client().get("/api/v1/schema").json()
    return answer


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in METHODS & set(methods):
            yield f"{method} {path}", methods[method]


def routes(patterns: list[Any], before: str = "") -> Iterator[str]:
    """The routes of the API, with {} for what varies."""
    for pattern in patterns:
        here = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, here)
        elif isinstance(pattern, URLPattern) and pattern.callback is not api.not_found:
            yield re.sub(r"<[^>]+>", "{}", here)


def test_it_is_valid_and_nothing_is_left_to_guess(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn")
    assert capsys.readouterr().out.startswith("openapi: 3.1.1\n")


def test_it_names_every_route(document: dict[str, Any]) -> None:
    told = {re.sub(r"{[^}]+}", "{}", path) for path in document["paths"]}
    there = {f"/api/v1/{route}" for route in set(routes(api.urlpatterns)) - NOT_IN_IT}
    assert told == there


def test_every_operation_has_its_name_and_asks_for_a_token(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(names) == len(set(names)) == 33
    assert all(operation["security"] == [{"bearer": []}] for _, operation in operations(document))
    scheme = document["components"]["securitySchemes"]["bearer"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


def test_every_answer_and_every_body_has_an_example(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        answers = operation["responses"]
        assert {"401", "406", "429"} <= set(answers), name
        bodies = [*answers.values(), *filter(None, [operation.get("requestBody")])]
        for body in bodies:
            for kind, content in body.get("content", {}).items():
                assert content.get("examples") or kind.startswith("image/"), name
        for status, answer in answers.items():
            if status >= "400":
                for example in answer["content"]["application/json"]["examples"].values():
                    assert set(example["value"]) == {"success", "code", "message"}, name


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("schema", "*/*", "application/json"),
        ("schema", "application/yaml", "application/yaml"),
        ("schema.yaml", "*/*", "application/yaml"),
    ],
)
def test_it_is_told_in_json_and_yaml(
    document: dict[str, Any], path: str, accept: str, kind: str
) -> None:
    answer = Client().get(f"/api/v1/{path}", headers={"Accept": accept})
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert answer["Content-Type"].startswith(kind)
    assert yaml.safe_load(answer.content) == document


def test_the_page_runs_nothing_but_our_files() -> None:
    answer = Client().get("/api/v1/docs", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert "default-src 'self';" in answer["Content-Security-Policy"]
    assert "unsafe-eval" not in answer["Content-Security-Policy"]
    page = answer.content.decode()
    assert re.findall(r"<script>|\son\w+=|javascript:", page) == []
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(sources) == 5
    assert all(re.match(r"/(?!/)", source) for source in sources)
    script = Client().get("/api/v1/docs?script=")
    assert script["Content-Type"].startswith("application/javascript")
    assert script["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "accept", "error"),
    [
        ("get", "docs", "application/json", (406, "not_acceptable")),
        ("post", "docs", "text/html", (405, "method_not_allowed")),
        ("get", "schema", "image/png", (406, "not_acceptable")),
        ("put", "schema.yaml", "application/yaml", (405, "method_not_allowed")),
    ],
)
def test_its_errors_are_those_of_the_api(
    method: str, path: str, accept: str, error: tuple[int, str]
) -> None:
    answer = getattr(Client(), method)(f"/api/v1/{path}", headers={"Accept": accept})
    assert (answer.status_code, answer.json()["code"]) == error
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "no-store"
