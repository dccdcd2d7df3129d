"""Log lines: a constant message, then the fields that were logged with it."""

import logging
from typing import Any

from connections import log_fields

PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Django hangs its whole request on a record.
LEFT_OUT = frozenset({"request", "status_code", "server_time"})


class FieldsFormatter(logging.Formatter):
    """`message key=value …`."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        fields = vars(record).keys() - PLAIN - LEFT_OUT
        told = "".join(f" {name}={getattr(record, name)}" for name in sorted(fields))
        return super().formatMessage(record) + told


def formatter(how: str) -> dict[str, Any]:
    """The formatter for LOG_FORMAT, as `logging` is told of it."""
    if how == "json":
        return {"()": "whatsapp_orgs.logging.json_formatter.JsonLines"}
    return {
        "()": "whatsapp_orgs.logging.formatters.FieldsFormatter",
        "format": "{asctime} {levelname} {name}: {message}",
        "style": "{",
    }


def with_what_it_is_about(record: logging.LogRecord) -> bool:
    """A filter that lets a line pass, with the fields of where it was written; its own count."""
    for name, value in log_fields.current().items():
        vars(record).setdefault(name, value)
    return True
