"""Log lines as JSON, one object for each line. Imported where LOG_FORMAT asks for it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from whatsapp_orgs.logging.formatters import LEFT_OUT


class JsonLines(JsonFormatter):
    """`time` (RFC 3339, UTC), `level`, `logger`, `message`, the fields, and `exception`."""

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            rename_fields={
                "levelname": "level",
                "name": "logger",
                "exc_info": "exception",
                "stack_info": "stack",
            },
            reserved_attrs={*RESERVED_ATTRS, *LEFT_OUT},
        )

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_data["time"] = at.replace("+00:00", "Z")
        super().add_fields(log_data, record, message_dict)
        # The longest comes last.
        for name in ("stack", "exception"):
            if name in log_data:
                log_data[name] = log_data.pop(name)
