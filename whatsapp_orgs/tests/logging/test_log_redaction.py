"""Log lines of Django and Daphne about requests hold nothing that a client sent."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from organizations.long_responses import RightEnded
from whatsapp_orgs import urls
from whatsapp_orgs.logging.formatters import FieldsFormatter
from whatsapp_orgs.logging.json_formatter import JsonLineFormatter

pytestmark = pytest.mark.sqlite_only

MARKER = "m4rker"
handler400, handler500 = urls.handler400, urls.handler500


def refuse(request: HttpRequest) -> HttpResponse:
    """Raise the exception that the query names, with a text of the client."""
    kinds = {kind.__name__: kind for kind in (PermissionDenied, BadRequest, SuspiciousOperation)}
    raise kinds[request.GET["kind"]](MARKER)


def crash(request: HttpRequest, rest: str) -> HttpResponse:
    raise RuntimeError("broke")


def form(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


urlpatterns = [
    path("refuse", refuse),
    path("crash/<str:rest>", crash),
    path("form", form),
    *urls.urlpatterns,
]


FORMATTERS: dict[str, Callable[[], logging.Formatter]] = {
    "line": lambda: FieldsFormatter("{levelname} {name}: {message}", style="{"),
    "json": JsonLineFormatter,
}


@pytest.fixture(params=["line", "json"])
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """Return the output of the configured console handler, in each format."""
    [console] = [one for one in logging.getLogger().handlers if one.get_name() == "console"]
    assert isinstance(console, logging.StreamHandler)
    stream, before = io.StringIO(), console.formatter
    original_stream = console.setStream(stream)
    console.setFormatter(FORMATTERS[request.param]())
    try:
        with override_settings(ROOT_URLCONF=__name__):
            yield stream
    finally:
        console.setStream(original_stream)
        console.setFormatter(before)


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False, enforce_csrf_checks=True)


REFUSED_REQUESTS = {
    "unknown path": ("GET", f"/nowhere/{MARKER}?q={MARKER}", {}, 404),
    "unknown path of the API": ("GET", f"/api/v1/{MARKER}?q={MARKER}", {}, 404),
    "unknown path of the admin": ("GET", f"/admin/{MARKER}/", {}, 302),
    "no token": ("GET", f"/api/v1/organizations/1/whatsapp/status?q={MARKER}", {}, 401),
    "denied": ("GET", "/refuse?kind=PermissionDenied", {}, 403),
    "bad request": ("GET", "/refuse?kind=BadRequest", {}, 400),
    "suspicious": ("GET", "/refuse?kind=SuspiciousOperation", {}, 400),
    "another host": ("GET", f"/{MARKER}", {"Host": f"{MARKER}.example"}, 400),
    "invalid host": ("GET", "/", {"Host": f"{MARKER}/../"}, 400),
    "no CSRF cookie": ("POST", f"/form?q={MARKER}", {}, 403),
    "another origin": ("POST", "/form", {"Origin": f"https://{MARKER}.example"}, 403),
    "method": ("PUT", f"/language/?q={MARKER}", {"X-CSRFToken": MARKER}, 403),
    "nonstandard method": (MARKER, "/nowhere", {"User-Agent": MARKER}, 404),
    "wrong method": ("DELETE", f"/api/v1/schema?q={MARKER}", {}, 405),
}


@pytest.mark.django_db
@pytest.mark.parametrize("case", REFUSED_REQUESTS)
def test_refusal_is_logged_without_traceback_and_client_text(
    log: io.StringIO, client: Client, case: str
) -> None:
    method, address, headers, status = REFUSED_REQUESTS[case]
    response = client.generic(method, address, headers=headers)
    assert response.status_code == status
    lines = log.getvalue()
    assert MARKER not in lines
    assert "Traceback" not in lines
    assert ("django." in lines) is (status >= 400)


@pytest.mark.django_db
def test_crash_is_logged_with_its_route_and_traceback(log: io.StringIO, client: Client) -> None:
    assert client.get(f"/crash/{MARKER}?q={MARKER}").status_code == 500
    lines = log.getvalue()
    assert MARKER not in lines
    assert "crash/<str:rest>" in lines
    assert "RuntimeError: broke" in lines and "Traceback" in lines


@pytest.mark.parametrize("log", ["json"], indirect=True)
def test_line_names_route_status_and_reason(log: io.StringIO, client: Client, alice: User) -> None:
    client.get("/nowhere/")
    client.get("/refuse?kind=PermissionDenied")
    client.post("/form", headers={"Origin": "https://elsewhere.example"})
    client.post("/form")
    client.get("/", headers={"Host": "elsewhere.example"})
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    found = [
        (line["logger"], line["message"], line["method"], line["route"], line.get("why"))
        for line in lines
        if line["logger"].startswith("django.")
    ]
    csrf, host = "django.security.csrf", "django.security.DisallowedHost"
    assert found == [
        ("django.request", "Not Found", "GET", None, None),
        ("django.request", "Forbidden", "GET", "refuse", "PermissionDenied"),
        (csrf, "Forbidden", "POST", "form", "Origin checking failed"),
        (csrf, "Forbidden", "POST", "form", "CSRF cookie not set"),
        (host, "Bad Request", "GET", None, "DisallowedHost"),
    ]


def test_slow_application_is_logged_without_its_address(log: io.StringIO) -> None:
    logging.getLogger("daphne.server").warning(
        "Application instance %r for connection %s took too long to shut down and was killed.",
        "<Task>",
        f"<WebRequest uri=/{MARKER}>",
    )
    assert "took too long to end" in log.getvalue()
    assert MARKER not in log.getvalue()


def test_response_that_was_broken_off_is_one_line_without_traceback(log: io.StringIO) -> None:
    try:
        raise RightEnded(MARKER)
    except RightEnded as error:
        logging.getLogger("daphne.server").error(
            "Exception inside application: %s", error, exc_info=error
        )
    assert "a response was broken off: the right to it has ended" in log.getvalue()
    assert "WARNING" in log.getvalue().upper() and log.getvalue().count("\n") == 1
    assert MARKER not in log.getvalue() and "Traceback" not in log.getvalue()


def test_django_writes_its_lines_only_once() -> None:
    """Its own handlers know nothing of the filter, and write to the console with DEBUG."""
    assert logging.getLogger("django").handlers == []
