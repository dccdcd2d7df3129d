"""The base class of the façade's views."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.http.response import HttpResponseBase
from django.utils import translation
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from cloud_api.authentication import GraphTokenAuthentication
from cloud_api.errors import error_response, unknown_object
from organizations.access import Permission
from organizations.api.views import CallerView
from organizations.models import Organization


class AlwaysJson(BaseContentNegotiation):
    """Answers JSON, whatever a client accepts, as Meta does."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        return next((found for found in parsers if found.media_type == _media_type(request)), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type or ""


def _media_type(request: Request) -> str:
    return (request.content_type or "").partition(";")[0].strip().lower()


class GraphView(CallerView):
    """A view of the façade: its own tokens, its errors, and English, as Meta's API is."""

    authentication_classes = [GraphTokenAuthentication]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = AlwaysJson
    # Meta describes this API, not our OpenAPI document.
    schema = None

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Handle a request for any version of Meta's API, or for none."""
        kwargs.pop("version", None)
        return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        translation.activate("en")
        super().initial(request, *args, **kwargs)

    def get_exception_handler(self) -> Callable[..., Any]:
        return error_response

    def own_organization(self, permission: Permission = Permission.SEE) -> Organization:
        """Return the organization of the token. Raises PermissionDenied."""
        token = self.caller.token
        assert token is not None and token.organization_id is not None
        return self.caller.organization(token.organization_id, permission)

    def require_phone_number_id(self, request: Request) -> None:
        """Raise GraphError if the query names the phone number of another organization."""
        named = request.query_params.get("phone_number_id")
        if named and named != str(self.own_organization().pk):
            raise unknown_object()
