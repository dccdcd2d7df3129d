"""Responses in Meta's shape to requests that reach no view, or whose view fails."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from cloud_api.codes import Code
from cloud_api.errors import NO_STORE, NO_TOKEN, error_body

PREFIX = "/graph/"
"""What the addresses of the façade begin with."""

BAD_REQUEST = "This request cannot be served: its Host or another header is wrong."
BUG = "Something went wrong in the service. Its log says what."
BUSY = "The service is busy at the moment. Try again in a few seconds."
NO_DATABASE = "The database does not answer at the moment. Try again in a few seconds."
NO_PATH = "There is no such address."
TOO_LARGE = "The body of this request is too large."
RETRY_SECONDS = 5


@csrf_exempt  # An unknown path gets 404, and not 403 for a missing cookie.
def not_found(request: HttpRequest, **path: str) -> JsonResponse:
    """Return 404 for an unknown path."""
    return _response(404, Code.UNKNOWN_PATH, NO_PATH)


def bad_request(request: HttpRequest) -> JsonResponse:
    """Return 400 for a request that Django refuses before any view."""
    return _response(400, Code.INVALID, BAD_REQUEST)


def unavailable(request: HttpRequest) -> JsonResponse:
    """Return 503 when the database does not answer. It may have done so after a change."""
    response = _response(503, Code.UNAVAILABLE, NO_DATABASE)
    response["Retry-After"] = str(RETRY_SECONDS)
    return response


def server_error(request: HttpRequest) -> JsonResponse:
    """Return 500 for a bug."""
    return _response(500, Code.UNKNOWN, BUG)


def busy_body() -> dict[str, Any]:
    """Return the body of a 503 while the server is busy."""
    return error_body(Code.UNAVAILABLE, BUSY)


def no_token_body() -> dict[str, Any]:
    """Return the body of a 401 that the server gives before it has read a request."""
    return error_body(Code.BAD_TOKEN, NO_TOKEN)


def too_large_body() -> dict[str, Any]:
    """Return the body of a 413 that the server gives before it has read a request."""
    return error_body(Code.MEDIA_NOT_UPLOADED, TOO_LARGE)


def _response(status: int, code: Code, details: str) -> JsonResponse:
    return JsonResponse(error_body(code, details), status=status, headers=NO_STORE)
