"""Views of the OpenAPI document of the REST API, and of its page."""

from __future__ import annotations

from typing import Any

from django.utils import translation
from drf_spectacular.renderers import OpenApiJsonRenderer2, OpenApiYamlRenderer2
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

# Swagger UI styles its elements in place; nothing else may come from anywhere but here.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class Published(APIView):
    """For everyone, and kept nowhere on its way. Its errors are those of the API."""

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        # Else whatever was to be shown would be shown as a page, or as YAML.
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSONRenderer.media_type
        return response

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response["Cache-Control"] = "no-store"
        return super().finalize_response(request, response, *args, **kwargs)


class SchemaView(Published, SpectacularAPIView):
    """`/schema`: JSON, or YAML for those who ask for it."""

    renderer_classes = [OpenApiJsonRenderer2, OpenApiYamlRenderer2]

    def _get_schema_response(self, request: Request) -> Response:
        # In English for everyone: half of it has no translation.
        with translation.override("en"):
            answer: Response = super()._get_schema_response(request)  # type: ignore[no-untyped-call]
        return answer


class YamlSchemaView(SchemaView):
    """`/schema.yaml`: for programs that cannot ask."""

    renderer_classes = [OpenApiYamlRenderer2]


class DocsView(Published, SpectacularSwaggerSplitView):
    """`/docs`: the operations, to read and to try."""

    url_name = "api-schema"

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return super().finalize_response(request, response, *args, **kwargs)
