"""The formats of log lines, their context fields, and the line for each request."""

import json
import logging
from datetime import datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from connections.log_fields import about
from organizations.models import Organization
from organizations.tests.support.users import api_client
from whatsapp_orgs.logging import formatters
from whatsapp_orgs.logging.formatters import FieldsFormatter
from whatsapp_orgs.logging.json_formatter import JsonLineFormatter


def line(**extra: object) -> str:
    formatter = FieldsFormatter("{levelname} {name}: {message}", style="{")
    logger = logging.getLogger("tests.logs")
    record = logger.makeRecord(
        logger.name, logging.INFO, __file__, 1, "it happened", (), None, extra=extra
    )
    return formatter.format(record)


def test_line_without_fields_is_only_the_message() -> None:
    assert line() == "INFO tests.logs: it happened"


def test_fields_follow_in_alphabetical_order() -> None:
    assert line(worker=1, organization=7) == "INFO tests.logs: it happened organization=7 worker=1"


@pytest.mark.parametrize("name", ["request", "status_code", "server_time"])
def test_line_omits_the_objects_that_django_adds(name: str) -> None:
    assert line(**{name: "<a whole request>"}) == "INFO tests.logs: it happened"


def test_exception_comes_last() -> None:
    formatter = FieldsFormatter("{message}", style="{")
    try:
        raise RuntimeError("broke")
    except RuntimeError as error:
        record = logging.makeLogRecord(
            {"msg": "it broke", "organization": 7, "exc_info": (type(error), error, None)}
        )
    first, *_, last = formatter.format(record).splitlines()
    assert (first, last) == ("it broke organization=7", "RuntimeError: broke")


# --- As JSON ------------------------------------------------------------------------------------


def json_line(message: str = "it happened", **fields: object) -> dict[str, object]:
    record = logging.makeLogRecord({"msg": message, "name": "tests", **fields})
    text = JsonLineFormatter().format(record)
    assert "\n" not in text
    found: dict[str, object] = json.loads(text)
    return found


def test_json_line_is_one_object() -> None:
    found = json_line(levelname="WARNING", created=1_795_000_000.25, organization=7)
    assert found == {
        "time": "2026-11-18T11:06:40.250Z",
        "level": "WARNING",
        "logger": "tests",
        "message": "it happened",
        "organization": 7,
    }
    assert datetime.fromisoformat(str(found["time"])).timestamp() == 1_795_000_000.25


def test_json_exception_is_one_string() -> None:
    try:
        raise RuntimeError("broke\nin two")
    except RuntimeError as error:
        found = json_line(exc_info=(type(error), error, None), organization=7)
    assert found["exception"] == "RuntimeError: broke\nin two"
    assert "exc_info" not in found
    assert list(found)[-2:] == ["organization", "exception"]


@pytest.mark.parametrize("name", ["request", "status_code", "server_time"])
def test_json_omits_the_objects_that_django_adds(name: str) -> None:
    assert name not in json_line(**{name: "<a whole request>"})


def test_json_line_is_written_for_fields_of_any_type() -> None:
    found = json_line(odd={1}, odder=object(), oddest=b"\xff")
    assert {"odd", "odder", "oddest"} <= found.keys()


# --- Context fields -----------------------------------------------------------------------------


def fields_now(**extra: object) -> dict[str, object]:
    record = logging.makeLogRecord({"msg": "it happened", **extra})
    assert formatters.add_context_fields(record)
    return {
        name: vars(record)[name] for name in vars(record).keys() - formatters.STANDARD_ATTRIBUTES
    }


def test_record_gets_the_fields_of_its_context() -> None:
    with about(organization=7, generation=2):
        with about(attempt=5):
            assert fields_now() == {"organization": 7, "generation": 2, "attempt": 5}
        assert fields_now(generation=3) == {"organization": 7, "generation": 3}
    assert fields_now() == {}


# --- A line for each request --------------------------------------------------------------------


@pytest.fixture
def request_logs(settings: Settings, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    settings.LOG_FORMAT = "json"
    caplog.set_level("INFO", "whatsapp_orgs.logging.request_log")
    return caplog


STATUS = "api/v1/organizations/<int:organization_id>/whatsapp/status"


def test_request_is_logged_with_its_route_and_caller(
    request_logs: pytest.LogCaptureFixture, alice: User, charlie: User, organization: Organization
) -> None:
    path = f"/api/v1/organizations/{organization.pk}/whatsapp/status"
    browser = Client()
    browser.force_login(alice)
    api_client(alice).get(path)
    api_client(charlie).get(path)
    Client(headers={"Authorization": "Bearer wao_wrong"}).get(path)
    browser.get(path + "?secret=1")
    browser.get("/admin/")
    Client().get("/nowhere/secret")
    lines = [
        vars(one) for one in request_logs.records if one.name == "whatsapp_orgs.logging.request_log"
    ]
    found = [(line["route"], line["status"], line["caller"]) for line in lines]
    assert found == [
        (STATUS, 200, "token"),
        (STATUS, 404, "token"),
        (STATUS, 401, "anonymous"),
        (STATUS, 401, "anonymous"),
        ("admin/", 200, "session"),
        (None, 404, "anonymous"),
    ]
    assert lines[0]["organization"] == organization.pk
    assert all(0 < line["milliseconds"] < 60_000 for line in lines)
    assert "secret" not in json.dumps(lines, default=str)


def test_request_is_not_logged_in_line_format(
    settings: Settings, caplog: pytest.LogCaptureFixture, db: None
) -> None:
    settings.LOG_FORMAT = "line"
    Client().get("/nowhere/")
    assert "whatsapp_orgs.logging.request_log" not in {record.name for record in caplog.records}
