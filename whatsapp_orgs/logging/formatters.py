"""Format log lines: a constant message, then the fields of the record."""

import logging
from typing import Any

from connections import log_fields

STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
}
# Django adds these to its records; `request` is the whole object.
OMITTED_FIELDS = frozenset({"request", "status_code", "server_time"})


class FieldsFormatter(logging.Formatter):
    """Formats a record as `message key=value …`."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        fields = vars(record).keys() - STANDARD_ATTRIBUTES - OMITTED_FIELDS
        text = "".join(f" {name}={getattr(record, name)}" for name in sorted(fields))
        return super().formatMessage(record) + text


def formatter(log_format: str) -> dict[str, Any]:
    """Return the dictConfig of the formatter for a value of LOG_FORMAT."""
    if log_format == "json":
        return {"()": "whatsapp_orgs.logging.json_formatter.JsonLineFormatter"}
    return {
        "()": "whatsapp_orgs.logging.formatters.FieldsFormatter",
        "format": "{asctime} {levelname} {name}: {message}",
        "style": "{",
    }


def add_context_fields(record: logging.LogRecord) -> bool:
    """Add the context's fields to a record, except those it has. A filter that passes all."""
    for name, value in log_fields.current().items():
        vars(record).setdefault(name, value)
    return True
