"""The REST API's frame: its routes, and the one shape of its errors."""

from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import include, path, re_path
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler


def shape(code: str, message: str) -> dict[str, Any]:
    """The one shape of an error."""
    return {"success": False, "code": code, "message": message}


def error_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Whatever a view raises, in the one shape; errors of our own stay with Django (500)."""
    if isinstance(error, ObjectDoesNotExist | Http404):
        error = exceptions.NotFound("Organization not found.")
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied(str(error) or None)
    response = exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return None
    code = error.get_codes()
    response.data = shape(code if isinstance(code, str) else "invalid", _sentence(error))
    return response


def _sentence(error: exceptions.APIException) -> str:
    detail = error.detail
    if isinstance(detail, dict):
        return " ".join(f"{name}: {' '.join(map(str, texts))}" for name, texts in detail.items())
    return " ".join(map(str, detail)) if isinstance(detail, list) else str(detail)


def not_found(request: HttpRequest, rest: str = "") -> JsonResponse:
    """Anything under /api/ that is not a route."""
    return JsonResponse(shape("not_found", "There is no such address."), status=404)


def server_error(request: HttpRequest) -> JsonResponse:
    """An error of our own, in the one shape."""
    message = "Something went wrong in the service. Its log says what."
    return JsonResponse(shape("error", message), status=500)


urlpatterns = [
    path("organizations/<int:organization_id>/whatsapp/", include("connections.urls")),
    re_path(r"^(?P<rest>.*)$", not_found),
]
