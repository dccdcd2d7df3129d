"""Remove what a client sent from the log lines that Django and Daphne write about requests.

Django logs the path, which may hold a secret; exception texts, which quote a Host or an Origin
header; and a traceback for each refused request, so that anyone could fill the log.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from organizations.long_responses import RightEnded

if TYPE_CHECKING:
    # The settings import this module: it must not load Django's HTTP classes for each command.
    from django.http import HttpRequest

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BROKEN_OFF_MESSAGE = "a response was broken off: the right to it has ended"
TIMEOUT_MESSAGE = "an application took too long to end and was cancelled"


def redact_request(record: logging.LogRecord) -> bool:
    """Replace the path of a request by its route. A filter that passes all records."""
    if record.name.startswith(("django.request", "django.security")):
        _redact_django(record)
    elif record.exc_info and isinstance(record.exc_info[1], RightEnded):
        # Only an exception makes Daphne break it off; it is no error.
        record.msg, record.args, record.exc_info = BROKEN_OFF_MESSAGE, (), None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    elif record.name.startswith("daphne.") and "took too long" in str(record.msg):
        # Daphne's arguments are the request with its path and query.
        record.msg, record.args = TIMEOUT_MESSAGE, ()
    return True


def method_of(request: HttpRequest) -> str:
    """Return the HTTP method, or "other" for a nonstandard one."""
    return request.method if request.method in METHODS else "other"


def _redact_django(record: logging.LogRecord) -> None:
    fields = vars(record)
    status = fields.get("status_code")
    request: HttpRequest | None = fields.get("request")
    if why := _reason(record):
        fields["why"] = why
    record.msg, record.args = _phrase(status), ()
    if isinstance(status, int):
        fields["status"] = status
    if request is not None:
        match = request.resolver_match
        fields["method"] = method_of(request)
        # None: there is no route, or the request was refused before routing.
        fields["route"] = match.route if match is not None else None
    if not isinstance(status, int) or status < 500:
        record.exc_info = record.exc_text = None


def _phrase(status: object) -> str:
    """Return a constant message: "Not Found" for 404."""
    try:
        return HTTPStatus(status).phrase  # type: ignore[arg-type]
    except ValueError:
        return "request refused"


def _reason(record: logging.LogRecord) -> str | None:
    """Return why a request was refused: Django's own text or the class of the exception."""
    if record.name == "django.security.csrf" and isinstance(record.args, tuple) and record.args:
        # "Origin checking failed - https://… does not match any trusted origins."
        return str(record.args[0]).partition(" - ")[0].rstrip(".")
    kind = record.exc_info[0] if record.exc_info else None
    return kind.__name__ if kind is not None else None
