"""Errors under the prefix have Meta's shape, whatever went wrong and wherever."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from cloud_api.tests.support.graph import Graph, error
from messaging.actions import links
from whatsapp_orgs.server.busy_response import ServerBusyMiddleware
from whatsapp_orgs.server.request_slots import ServerBusy
from whatsapp_orgs.tests.support.asgi_client import ask


@pytest.mark.parametrize("path", ["", "nonsense", "v23.0/", "v23.0/1/nonsense", "x/1", "a%0Ab"])
@pytest.mark.parametrize("method", ["get", "post", "delete", "put", "options"])
def test_unknown_path_gets_404(path: str, method: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert error(getattr(strict, method)(f"/graph/{path}")) == (404, 2500)


@pytest.mark.parametrize("method", ["put", "patch", "options", "delete"])
def test_wrong_method_gets_405(graph: Graph, method: str) -> None:
    response = graph.of_number(method, "messages")
    assert error(response) == (405, 100)


def test_head_is_answered(graph: Graph) -> None:
    assert graph.client.head(f"/graph/{graph.organization.pk}").status_code == 200


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png", "*/*"])
def test_answer_is_json_whatever_is_accepted(graph: Graph, accept: str) -> None:
    assert graph("get", str(graph.organization.pk), Accept=accept).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "nonsense"])
def test_body_of_another_type_gets_415(graph: Graph, kind: str) -> None:
    path = f"/graph/v23.0/{graph.organization.pk}/messages"
    assert error(graph.client.post(path, "a=b", content_type=kind)) == (415, 100)


@pytest.mark.parametrize("body", ["{", "\xff", "[" * 5000, ""])
def test_body_that_is_no_json_gets_400(graph: Graph, body: str) -> None:
    path = f"/graph/v23.0/{graph.organization.pk}/messages"
    response = graph.client.post(path, body.encode("latin-1"), content_type="application/json")
    assert error(response) == (400, 100)


def test_body_that_is_too_large_gets_413(graph: Graph) -> None:
    assert error(graph.of_number("post", "messages", {"x": "y" * 70_000})) == (413, 100)


def test_huge_id_is_an_unknown_one(graph: Graph) -> None:
    assert error(graph("get", "9" * 40)) == (400, 100)


def test_unknown_host_gets_400() -> None:
    assert error(Client(headers={"Host": "elsewhere.example"}).get("/graph/1")) == (400, 100)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(OperationalError("locked"), (503, 131016)), (RuntimeError("a secret"), (500, 131000))],
)
def test_failure_gets_5xx_without_its_text(
    graph: Graph, raised: Exception, expected: tuple[int, int]
) -> None:
    graph.client.raise_request_exception = False
    with patch.object(links, "enqueue", side_effect=raised):
        response = graph.send()
    assert error(response) == expected
    assert str(raised) not in response.content.decode()
    assert ("Retry-After" in response) is (expected[0] == 503)


async def test_busy_server_gets_503() -> None:
    async def busy(scope: Any, receive: Any, send: Any) -> None:
        raise ServerBusy

    response = await ask(ServerBusyMiddleware(busy), "/graph/v23.0/1/messages", "POST")
    assert response.status == 503
    assert json.loads(response.text)["error"]["code"] == 131016
    assert response.headers[b"retry-after"] == b"5"


def test_errors_are_in_english_in_each_language(graph: Graph, settings: Settings) -> None:
    response = graph.of_number("post", "messages", {}, **{"Accept-Language": "pt-BR"})
    texts = [
        graph.of_number("post", "messages", body, **{"Accept-Language": language}).json()["error"][
            "error_data"
        ]["details"]
        for language in ("pt-br", "en")
        for body in [{"messaging_product": "whatsapp", "type": "text", "text": {"body": "x"}}]
    ]
    assert texts[0] == texts[1] == "to: This field is required."
    assert response["Content-Language"] == "en"
