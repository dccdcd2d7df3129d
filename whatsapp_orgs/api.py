"""The root of the REST API: its routes, and the format of its errors."""

from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import include, path, re_path
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from connections.api.errors import RefusedResponse
from connections.api.urls import many_urlpatterns
from connections.api.views_events import EventsView
from connections.api.views_organizations import OrganizationsView, OrganizationView
from connections.refusals import RequestRefused
from messaging.refusals import MessageRefused
from organizations.api.error_texts import message_of
from webhooks.api.urls import installation_urlpatterns, organization_urlpatterns
from whatsapp_orgs.openapi import DocsView, SchemaView, YamlSchemaView

NO_STORE = {"Cache-Control": "no-store"}
RETRY_SECONDS = 5


def error_body(code: str, message: str) -> dict[str, Any]:
    """Return the JSON body of an error."""
    return {"success": False, "code": code, "message": message}


def error_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the response to an exception of a view; None for bugs, which Django answers."""
    if isinstance(error, ObjectDoesNotExist | Http404):
        error = exceptions.NotFound(_("Organization not found."))
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied(str(error) or None)
    elif isinstance(error, RequestRefused):
        error = RefusedResponse(error.status, error.code, str(error), error.wait)
    elif isinstance(error, MessageRefused):
        error = RefusedResponse(error.status, error.code, error.sentence, error.retry_after)
    response = exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return None
    code = error.get_codes()
    response.data = error_body(code if isinstance(code, str) else "invalid", message_of(error))
    return response


@csrf_exempt  # An unknown path gets 404, and not 403 for a missing cookie.
def not_found(request: HttpRequest, rest: str = "") -> JsonResponse:
    """Return 404 for an unknown path under /api/."""
    return JsonResponse(
        error_body("not_found", _("There is no such address.")), status=404, headers=NO_STORE
    )


def bad_request(request: HttpRequest) -> JsonResponse:
    """Return 400 for a request that Django refuses before any view."""
    message = _("This request cannot be served: its Host or another header is wrong.")
    return JsonResponse(error_body("bad_request", message), status=400, headers=NO_STORE)


def unavailable(request: HttpRequest) -> JsonResponse:
    """Return 503 when the database does not answer. It may have done so after a change."""
    message = _("The database does not answer at the moment. Try again in a few seconds.")
    headers = {**NO_STORE, "Retry-After": str(RETRY_SECONDS)}
    return JsonResponse(error_body("database_unavailable", message), status=503, headers=headers)


def server_error(request: HttpRequest) -> JsonResponse:
    """Return 500 for a bug."""
    message = _("Something went wrong in the service. Its log says what.")
    return JsonResponse(error_body("error", message), status=500, headers=NO_STORE)


urlpatterns = [
    # First: what is asked for most often.
    path("organizations/<int:organization_id>/whatsapp/", include("connections.api.urls")),
    path("", include("organizations.api.urls")),
    path("organizations", OrganizationsView.as_view(), name="api-organizations"),
    path(
        "organizations/<int:organization_id>", OrganizationView.as_view(), name="api-organization"
    ),
    path("organizations/<int:organization_id>/events", EventsView.as_view(), name="api-events"),
    path("", include("removal.api.urls")),
    path("schema", SchemaView.as_view(), name="api-schema"),
    path("schema.yaml", YamlSchemaView.as_view(), name="api-schema-yaml"),
    path("docs", DocsView.as_view(), name="api-docs"),
    path("whatsapp/", include(many_urlpatterns)),
    path("organizations/<int:organization_id>/", include("messaging.api.urls")),
    path("organizations/<int:organization_id>/", include(organization_urlpatterns)),
    path("", include(installation_urlpatterns)),
    re_path(r"^(?P<rest>(?s:.*))\Z", not_found),
]
