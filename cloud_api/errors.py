"""Errors in Meta's shape, whatever went wrong."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from cloud_api.codes import TITLES, Code
from connections.api.errors import RefusedResponse
from messaging import refusals
from organizations.api.error_texts import message_of

NO_STORE = {"Cache-Control": "no-store"}

UNKNOWN_OBJECT = (
    "Unsupported request. There is no object with this id, or this token may not see it, or it "
    "does not support this request."
)
NO_SUCH_OBJECT = 33
"""Meta's subcode for an object that does not exist for the caller."""

NO_TOKEN = "An access token of the Cloud API is needed: `Authorization: Bearer …`."

# The names of the REST API's fields that have others here.
FIELD_NAMES = {"messageId": "message_id", "callbackData": "biz_opaque_callback_data"}

REFUSALS: dict[type[refusals.MessageRefused], Code] = {
    refusals.Inactive: Code.NOT_ALLOWED,
    refusals.SendingStopped: Code.NOT_ALLOWED,
    refusals.QueueFull: Code.QUEUE_FULL,
    refusals.TooManyForToken: Code.QUEUE_FULL,
    refusals.TooManyToRecipient: Code.TOO_MANY_TO_RECIPIENT,
    refusals.MediaNotReady: Code.MEDIA_NOT_UPLOADED,
    refusals.WrongMediaType: Code.MEDIA_NOT_UPLOADED,
    refusals.StorageFull: Code.MEDIA_NOT_UPLOADED,
    refusals.LinkFailed: Code.MEDIA_NOT_FETCHED,
    refusals.TooManyDownloads: Code.QUEUE_FULL,
    refusals.StorageUnavailable: Code.UNAVAILABLE,
    refusals.MediaInUse: Code.INVALID,
    refusals.MediaReceived: Code.INVALID,
}
"""The code of a refused request; of all others Code.BAD_FIELD."""


class GraphError(exceptions.APIException):
    """An error with its code. `wait`: the seconds after which to try again."""

    def __init__(
        self,
        code: Code,
        details: str,
        status: int = 400,
        subcode: int | None = None,
        wait: float | None = None,
    ) -> None:
        super().__init__(details)
        self.code, self.details, self.subcode = code, details, subcode
        self.status_code, self.wait = status, wait


def unknown_object() -> GraphError:
    """Return the error for an object that does not exist for this caller."""
    return GraphError(Code.INVALID, UNKNOWN_OBJECT, subcode=NO_SUCH_OBJECT)


def error_body(code: Code, details: str, subcode: int | None = None) -> dict[str, Any]:
    """Return the JSON body of an error."""
    error: dict[str, Any] = {
        # Some clients show nothing else to people.
        "message": f"(#{code.value}) {TITLES[code]}: {details}",
        "type": "OAuthException",
        "code": code.value,
        "error_data": {"messaging_product": "whatsapp", "details": details},
        "fbtrace_id": secrets.token_urlsafe(8),
    }
    if subcode is not None:
        error["error_subcode"] = subcode
    return {"error": error}


def error_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the response to an exception of a view; None for bugs, which Django answers."""
    found = graph_error(error)
    if found is None:
        return None
    set_rollback()
    headers = {}
    if found.status_code == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if found.wait is not None:
        headers["Retry-After"] = f"{found.wait:.0f}"
    body = error_body(found.code, found.details, found.subcode)
    return Response(body, status=found.status_code, headers=headers)


def graph_error(error: Exception) -> GraphError | None:
    """Return an exception as an error of the façade; None for bugs."""
    if isinstance(error, GraphError):
        return error
    if isinstance(error, ObjectDoesNotExist | Http404 | exceptions.NotFound):
        return unknown_object()
    if isinstance(error, DjangoPermissionDenied):
        return GraphError(Code.NOT_ALLOWED, str(error), 403)
    if isinstance(error, refusals.MessageRefused):
        return _refusal(error)
    return _framework_error(error) if isinstance(error, exceptions.APIException) else None


def _refusal(error: refusals.MessageRefused) -> GraphError:
    code = REFUSALS.get(type(error), Code.BAD_FIELD)
    # Meta answers 400 to all that a client should change.
    status = 403 if code is Code.NOT_ALLOWED else 400
    if error.status in (429, 503):
        status = error.status
    return GraphError(code, error.sentence, status, wait=error.retry_after)


def _framework_error(error: exceptions.APIException) -> GraphError:
    """Return an error of Django REST framework, or of the views below the façade's."""
    details = message_of(error)
    for ours, theirs in FIELD_NAMES.items():
        details = details.replace(ours, theirs)
    code, status = Code.INVALID, error.status_code
    if isinstance(error, exceptions.NotAuthenticated):
        code, details, status = Code.BAD_TOKEN, NO_TOKEN, 401
    elif isinstance(error, exceptions.AuthenticationFailed):
        code, status = Code.BAD_TOKEN, 401
    elif isinstance(error, exceptions.PermissionDenied):
        code = Code.NOT_ALLOWED
    elif status == 429:
        code = Code.TOO_MANY_CALLS
    elif isinstance(error, RefusedResponse) and error.get_codes() == "unsupported_type":
        code = Code.UNSUPPORTED_TYPE
    elif isinstance(error, exceptions.ValidationError):
        code = Code.MISSING_FIELD if _is_missing(error.get_codes()) else Code.BAD_FIELD
    return GraphError(code, details, status, wait=getattr(error, "wait", None))


def _is_missing(codes: Any) -> bool:
    """Return whether a field is missing that is required."""
    if isinstance(codes, dict):
        return any(map(_is_missing, codes.values()))
    if isinstance(codes, list):
        return any(map(_is_missing, codes))
    return codes in ("required", "null")
