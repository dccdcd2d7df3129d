"""The REST API's frame: its routes, and the one shape of its errors."""

from http import HTTPStatus
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import include, path, re_path
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

RETRY_HINT = "Retry-After"


def failure(
    code: str, message: str, http_status: int, retry_after: int | None = None
) -> Response:
    """An error in the API's one shape. `retry_after` in seconds."""
    headers = {} if retry_after is None else {RETRY_HINT: str(retry_after)}
    body = {"success": False, "code": code, "message": message}
    return Response(body, status=http_status, headers=headers)


def error_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Whatever a view raises, in the one shape; errors of our own stay with Django (500)."""
    if isinstance(error, ObjectDoesNotExist | Http404):
        return failure("not_found", "Organization not found.", status.HTTP_404_NOT_FOUND)
    if isinstance(error, PermissionDenied):
        return failure("forbidden", str(error) or "Not allowed.", status.HTTP_403_FORBIDDEN)
    response = exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return None
    code = error.get_codes()
    response.data = {
        "success": False,
        "code": code if isinstance(code, str) else "invalid",
        "message": _sentence(error),
    }
    return response


def _sentence(error: exceptions.APIException) -> str:
    detail = error.detail
    if isinstance(detail, dict):
        return " ".join(f"{name}: {' '.join(map(str, texts))}" for name, texts in detail.items())
    return " ".join(map(str, detail)) if isinstance(detail, list) else str(detail)


def not_found(request: HttpRequest, rest: str = "") -> JsonResponse:
    """Anything under /api/ that is not a route."""
    body = {"success": False, "code": "not_found", "message": "There is no such address."}
    return JsonResponse(body, status=HTTPStatus.NOT_FOUND)


def server_error(request: HttpRequest) -> JsonResponse:
    """An error of our own, in the one shape."""
    body = {
        "success": False,
        "code": "error",
        "message": "Something went wrong in the service. Its log says what.",
    }
    return JsonResponse(body, status=HTTPStatus.INTERNAL_SERVER_ERROR)


urlpatterns = [
    path("organizations/<int:organization_id>/whatsapp/", include("connections.urls")),
    re_path(r"^(?P<rest>.*)$", not_found),
]
