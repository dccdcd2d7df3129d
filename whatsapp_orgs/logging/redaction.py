"""Rewrite the lines of Django and Daphne about a request, so that they hold nothing of its client.

Django writes the path, which may hold a secret; texts of exceptions, which hold a Host or an Origin
header as it was sent; and a traceback for each refusal, so that anyone can fill a log.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The settings import this module: it must not load Django's HTTP classes for each command.
    from django.http import HttpRequest

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
TOO_SLOW = "an application took too long to end and was cancelled"


def redact_request(record: logging.LogRecord) -> bool:
    """A filter that lets every line pass: one about a request names its route, and no path."""
    if record.name.startswith(("django.request", "django.security")):
        _redact_django(record)
    elif record.name.startswith("daphne.") and "took too long" in str(record.msg):
        # Daphne's arguments are the request with its path and query.
        record.msg, record.args = TOO_SLOW, ()
    return True


def method_of(request: HttpRequest) -> str:
    """Return the method, or "other" for a word that a client has made up."""
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
        # None: no route, or it was refused before one was looked for.
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
    """Return why a request was refused, in words that are Django's own."""
    if record.name == "django.security.csrf" and isinstance(record.args, tuple) and record.args:
        # "Origin checking failed - https://… does not match any trusted origins."
        return str(record.args[0]).partition(" - ")[0].rstrip(".")
    kind = record.exc_info[0] if record.exc_info else None
    return kind.__name__ if kind is not None else None
