"""Views of the REST API's OpenAPI document and of its Swagger page."""

from __future__ import annotations

import shlex
from functools import cache
from typing import Any

from django.conf import settings
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer2, OpenApiYamlRenderer2
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer, TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


@cache
def document() -> dict[str, Any]:
    """Return the document, made once in a process: anyone may ask for it (docs/performance.md)."""
    # Always in English: most of it has no translation.
    with translation.override("en"):
        made: dict[str, Any] = SchemaGenerator().get_schema(public=True)
    return made


# How the introduction names them, for those who read the file.
ADDRESS, RUN_FILE = "http://127.0.0.1:8000/", "var/run.json"


def introduction(request: Request) -> str:
    """Return the introduction with calls that work as they stand: of this address, and this token.

    Only `make run` has the file with a token, and answers on loopback only; what is deployed does
    not tell its folder.
    """
    text = str(settings.SPECTACULAR_SETTINGS["DESCRIPTION"])
    text = text.replace(ADDRESS, request.build_absolute_uri("/"))
    path = settings.DATA_DIR / "run.json"
    if not path.is_file():
        return text
    # The reader's shell is in the folder of the project.
    near = path.is_relative_to(settings.BASE_DIR)
    return text.replace(
        RUN_FILE, shlex.quote(str(path.relative_to(settings.BASE_DIR) if near else path))
    )


class PublicView(APIView):
    """A public view that is not cached, with errors in the API's format."""

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        # Without this the error would be rendered as a page, or as YAML.
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSONRenderer.media_type
        return response

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response["Cache-Control"] = "no-store"
        return super().finalize_response(request, response, *args, **kwargs)


class SchemaView(PublicView, SpectacularAPIView):
    """`/schema`: the document as JSON, or as YAML by the Accept header."""

    renderer_classes = [OpenApiJsonRenderer2, OpenApiYamlRenderer2]

    def _get_schema_response(self, request: Request) -> Response:
        name: str = self._get_filename(request, "")  # type: ignore[no-untyped-call]
        whole = document()
        info = whole["info"] | {"description": introduction(request)}
        return Response(
            whole | {"info": info}, headers={"Content-Disposition": f'inline; filename="{name}"'}
        )


class YamlSchemaView(SchemaView):
    """`/schema.yaml`: the document as YAML, for clients without an Accept header."""

    renderer_classes = [OpenApiYamlRenderer2]


class DocsView(PublicView):
    """`/docs`: the page of the document."""

    permission_classes = [AllowAny]
    authentication_classes = []
    renderer_classes = [TemplateHTMLRenderer]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        tags = [tag["name"] for tag in spectacular_settings.TAGS]
        return Response({"tags": tags}, template_name="api/docs.html")
