"""A log line: a constant message, then its fields; for people, or as JSON."""

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
from whatsapp_orgs.logging.json_formatter import JsonLines


def line(**extra: object) -> str:
    formatter = FieldsFormatter("{levelname} {name}: {message}", style="{")
    logger = logging.getLogger("tests.logs")
    record = logger.makeRecord(
        logger.name, logging.INFO, __file__, 1, "it happened", (), None, extra=extra
    )
    return formatter.format(record)


def test_a_line_without_fields_is_the_message() -> None:
    assert line() == "INFO tests.logs: it happened"


def test_fields_follow_in_the_order_of_the_alphabet() -> None:
    assert line(worker=1, organization=7) == "INFO tests.logs: it happened organization=7 worker=1"


@pytest.mark.parametrize("name", ["request", "status_code", "server_time"])
def test_what_django_hangs_on_is_left_out(name: str) -> None:
    assert line(**{name: "<a whole request>"}) == "INFO tests.logs: it happened"


def test_an_exception_comes_last() -> None:
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
    told = JsonLines().format(logging.makeLogRecord({"msg": message, "name": "tests", **fields}))
    assert "\n" not in told
    found: dict[str, object] = json.loads(told)
    return found


def test_a_line_is_an_object() -> None:
    found = json_line(levelname="WARNING", created=1_795_000_000.25, organization=7)
    assert found == {
        "time": "2026-11-18T11:06:40.250Z",
        "level": "WARNING",
        "logger": "tests",
        "message": "it happened",
        "organization": 7,
    }
    assert datetime.fromisoformat(str(found["time"])).timestamp() == 1_795_000_000.25


def test_an_exception_is_one_string() -> None:
    try:
        raise RuntimeError("broke\nin two")
    except RuntimeError as error:
        found = json_line(exc_info=(type(error), error, None), organization=7)
    assert found["exception"] == "RuntimeError: broke\nin two"
    assert "exc_info" not in found
    assert list(found)[-2:] == ["organization", "exception"]


@pytest.mark.parametrize("name", ["request", "status_code", "server_time"])
def test_what_django_hangs_on_is_left_out_of_objects(name: str) -> None:
    assert name not in json_line(**{name: "<a whole request>"})


def test_whatever_a_field_is_the_line_is_written() -> None:
    found = json_line(odd={1}, odder=object(), oddest=b"\xff")
    assert {"odd", "odder", "oddest"} <= found.keys()


# --- What lines are about -----------------------------------------------------------------------


def fields_now(**extra: object) -> dict[str, object]:
    record = logging.makeLogRecord({"msg": "it happened", **extra})
    assert formatters.with_what_it_is_about(record)
    return {name: vars(record)[name] for name in vars(record).keys() - formatters.PLAIN}


def test_lines_are_about_what_is_under_way() -> None:
    with about(organization=7, generation=2):
        with about(attempt=5):
            assert fields_now() == {"organization": 7, "generation": 2, "attempt": 5}
        assert fields_now(generation=3) == {"organization": 7, "generation": 3}
    assert fields_now() == {}


# --- A line for each request --------------------------------------------------------------------


@pytest.fixture
def told(settings: Settings, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    settings.LOG_FORMAT = "json"
    caplog.set_level("INFO", "whatsapp_orgs.logging.request_log")
    return caplog


STATUS = "api/v1/organizations/<int:organization_id>/whatsapp/status"


def test_a_request_is_told_by_its_route(
    told: pytest.LogCaptureFixture, alice: User, charlie: User, organization: Organization
) -> None:
    path = f"/api/v1/organizations/{organization.pk}/whatsapp/status"
    in_person = Client()
    in_person.force_login(alice)
    api_client(alice).get(path)
    api_client(charlie).get(path)
    Client(headers={"Authorization": "Bearer wao_wrong"}).get(path)
    in_person.get(path + "?secret=1")
    in_person.get("/admin/")
    Client().get("/nowhere/secret")
    lines = [vars(one) for one in told.records if one.name == "whatsapp_orgs.logging.request_log"]
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


def test_without_json_there_is_no_such_line(
    settings: Settings, caplog: pytest.LogCaptureFixture, db: None
) -> None:
    settings.LOG_FORMAT = "line"
    Client().get("/nowhere/")
    assert "whatsapp_orgs.logging.request_log" not in {record.name for record in caplog.records}
