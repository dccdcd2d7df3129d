"""What the operations tell of themselves, as drf-spectacular wants it.

Loaded when a document is wanted, and not before: nothing else needs drf-spectacular, which weighs
several megabytes.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
)
from rest_framework.request import Request

from organizations.openapi import (
    Answer,
    ErrorSerializer,
    No,
    Operation,
    PathParameter,
    Problem,
    Yes,
    described,
)

RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    int,
    OpenApiParameter.HEADER,
    description="After how many seconds another try makes sense.",
    response=["202", "429", "503"],
)


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """`Authorization: Bearer <token>`."""

    target_class = "organizations.tokens.BearerTokenAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API token of a user, or of one organization.",
        }


class Generator(SchemaGenerator):
    """drf-spectacular's, once it has been told of the operations."""

    def get_schema(self, request: Request | None = None, public: bool = False) -> dict[str, Any]:
        initialise: Any = self._initialise_endpoints
        initialise()  # Loads the views, which describe themselves.
        describe()
        document: dict[str, Any] = super().get_schema(request, public)  # type: ignore[no-untyped-call]
        return document


def describe() -> None:
    """Tell drf-spectacular of every operation that has been described since the last call."""
    extend_schema_field({"type": "boolean", "const": False})(No)
    extend_schema_field({"type": "boolean", "const": True})(Yes)
    while described:
        view, told = described.pop()
        _describe(view, told)


def _describe(view: Any, told: Operation) -> None:
    examples = [
        OpenApiExample(name, body, request_only=True) for name, body in told.examples.items()
    ]
    responses: dict[Any, Any] = {
        (answer.status, answer.media_type): _response(answer) for answer in told.answers
    }
    query: list[Any] = [told.query] if told.query else []
    decorate: Any = extend_schema(
        operation_id=told.name,
        summary=told.summary,
        tags=[told.tag],
        request=told.body,
        examples=examples,
        parameters=[*query, *map(_parameter, told.parameters), RETRY_AFTER],
        responses=responses | _errors(told.problems),
    )
    decorate(view)


def _parameter(told: PathParameter) -> OpenApiParameter:
    return OpenApiParameter(told.name, str, OpenApiParameter.PATH, description=told.description)


def _response(answer: Answer) -> OpenApiResponse:
    examples = []
    if answer.example is not None:
        examples = [OpenApiExample("answer", answer.example, response_only=True)]
    is_file = answer.media_type != "application/json"
    shape = OpenApiTypes.BINARY if is_file else answer.serializer
    return OpenApiResponse(shape, answer.means, examples)


def _errors(problems: tuple[Problem, ...]) -> dict[Any, OpenApiResponse]:
    """Each status with an example of each error that comes with it."""
    by_status: dict[int, list[Problem]] = {}
    for problem in problems:
        by_status.setdefault(problem.status, []).append(problem)
    return {
        (status, "application/json"): OpenApiResponse(
            ErrorSerializer,
            ", ".join(dict.fromkeys(problem.code for problem in found)),
            [_error(f"error {number}", problem) for number, problem in enumerate(found, 1)],
        )
        for status, found in sorted(by_status.items())
    }


def _error(name: str, problem: Problem) -> OpenApiExample:
    value = {"success": False, "code": problem.code, "message": problem.message}
    return OpenApiExample(name, value, summary=problem.message, response_only=True)
