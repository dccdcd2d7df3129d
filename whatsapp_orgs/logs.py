"""Log lines: a constant message, then the fields that were logged with it."""

import logging

PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Django hangs its whole request on a record.
LEFT_OUT = frozenset({"request", "status_code", "server_time"})


class FieldsFormatter(logging.Formatter):
    """`message key=value …`."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        fields = vars(record).keys() - PLAIN - LEFT_OUT
        told = "".join(f" {name}={getattr(record, name)}" for name in sorted(fields))
        return super().formatMessage(record) + told


def without_traceback(record: logging.LogRecord) -> bool:
    """A filter that lets a line pass and leaves out where in Django's code it came from."""
    record.exc_info = None
    return True
