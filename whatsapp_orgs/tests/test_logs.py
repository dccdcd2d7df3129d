"""A log line: a constant message, then its fields."""

import logging

import pytest

from whatsapp_orgs.logs import FieldsFormatter


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
