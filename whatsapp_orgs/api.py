"""The REST API's frame: its routes, and the one shape of its errors."""

from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import include, path, re_path
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler

from connections.api.errors import Refused
from connections.api.views_events import EventsView
from connections.refusals import RequestRefused
from whatsapp_orgs.openapi import DocsView, SchemaView, YamlSchemaView

NO_STORE = {"Cache-Control": "no-store"}
RETRY_SECONDS = 5


def shape(code: str, message: str) -> dict[str, Any]:
    """The one shape of an error."""
    return {"success": False, "code": code, "message": message}


def error_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Whatever a view raises, in the one shape; errors of our own stay with Django (500)."""
    if isinstance(error, ObjectDoesNotExist | Http404):
        error = exceptions.NotFound(_("Organization not found."))
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied(str(error) or None)
    elif isinstance(error, RequestRefused):
        error = Refused(error.status, error.code, str(error), error.wait)
    response = exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return None
    code = error.get_codes()
    response.data = shape(code if isinstance(code, str) else "invalid", _sentence(error))
    return response


def _sentence(error: exceptions.APIException) -> str:
    detail = error.detail
    if isinstance(detail, dict):
        return " ".join(_of_field(name, texts) for name, texts in detail.items())
    return " ".join(map(str, detail)) if isinstance(detail, list) else str(detail)


def _of_field(name: str, texts: Any) -> str:
    told = " ".join(map(str, texts))
    return told if name == api_settings.NON_FIELD_ERRORS_KEY else f"{name}: {told}"


@csrf_exempt  # A POST to nowhere is not refused for a cookie's sake: there is none.
def not_found(request: HttpRequest, rest: str = "") -> JsonResponse:
    """Anything under /api/ that is not a route."""
    return JsonResponse(
        shape("not_found", _("There is no such address.")), status=404, headers=NO_STORE
    )


def bad_request(request: HttpRequest) -> JsonResponse:
    """What Django refuses before any view sees it."""
    message = _("This request cannot be served: its Host or another header is wrong.")
    return JsonResponse(shape("bad_request", message), status=400, headers=NO_STORE)


def unavailable(request: HttpRequest) -> JsonResponse:
    """The database is away; nothing was changed."""
    message = _("The database does not answer at the moment. Try again in a few seconds.")
    headers = {**NO_STORE, "Retry-After": str(RETRY_SECONDS)}
    return JsonResponse(shape("database_unavailable", message), status=503, headers=headers)


def server_error(request: HttpRequest) -> JsonResponse:
    """An error of our own, in the one shape."""
    message = _("Something went wrong in the service. Its log says what.")
    return JsonResponse(shape("error", message), status=500, headers=NO_STORE)


urlpatterns = [
    path("", include("organizations.api.urls")),
    path("organizations/<int:organization_id>/events", EventsView.as_view(), name="api-events"),
    path("schema", SchemaView.as_view(), name="api-schema"),
    path("schema.yaml", YamlSchemaView.as_view(), name="api-schema-yaml"),
    path("docs", DocsView.as_view(), name="api-docs"),
    path("organizations/<int:organization_id>/whatsapp/", include("connections.api.urls")),
    re_path(r"^(?P<rest>(?s:.*))\Z", not_found),
]
