"""Format log lines as JSON objects. Imported only with LOG_FORMAT=json."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from whatsapp_orgs.logging.formatters import OMITTED_FIELDS


class JsonLineFormatter(JsonFormatter):
    """Writes `time` (RFC 3339, UTC), `level`, `logger`, `message`, fields, and `exception`."""

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            rename_fields={
                "levelname": "level",
                "name": "logger",
                "exc_info": "exception",
                "stack_info": "stack",
            },
            reserved_attrs={*RESERVED_ATTRS, *OMITTED_FIELDS},
        )

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_data["time"] = at.replace("+00:00", "Z")
        super().add_fields(log_data, record, message_dict)
        # The longest fields come last.
        for name in ("stack", "exception"):
            if name in log_data:
                log_data[name] = log_data.pop(name)
