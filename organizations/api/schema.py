"""Shared parts of the OpenAPI document: error responses, examples, authentication, headers.

The `extend_schema` decorators of the views are in the modules `schema_*` beside them, each named
after its operation.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema_field,
)
from rest_framework import serializers

from organizations.access import (
    DENIED_MESSAGES,
    SUPERUSER_REQUIRED,
    TOKEN_OWNER_REQUIRED,
    Permission,
)

RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    int,
    OpenApiParameter.HEADER,
    description="After how many seconds another try makes sense.",
    response=["202", "429", "503"],
)


class ApiSchema(AutoSchema):
    """Add the header Retry-After to the responses that may have it."""

    def get_override_parameters(self) -> list[Any]:
        return [*super().get_override_parameters(), RETRY_AFTER]


class BearerScheme(OpenApiAuthenticationExtension):
    """`Authorization: Bearer <token>`."""

    target_class = "organizations.tokens.BearerTokenAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API token of a user, or of one organization.",
        }


@extend_schema_field({"type": "boolean", "const": False})
class FalseField(serializers.BooleanField):
    """A field that is always false."""


@extend_schema_field({"type": "boolean", "const": True})
class TrueField(serializers.BooleanField):
    """A field that is always true."""


class LargeIntegerField(serializers.IntegerField):
    """An integer that may need 64 bits, as the document then says."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_value=2**63 - 1, **options)


class ErrorSerializer(serializers.Serializer[Any]):
    """The one shape of an error: `code` is for programs, `message` for people."""

    success = FalseField()
    code = serializers.CharField()
    message = serializers.CharField()


class ErrorExample(NamedTuple):
    """An error that an operation may answer with."""

    status: int
    code: str
    message: str


def invalid(message: str) -> ErrorExample:
    """Return the error for a wrong field, which `message` names."""
    return ErrorExample(400, "invalid", message)


def forbidden(message: str) -> ErrorExample:
    """Return the error for a caller who sees the organization, but may not do this."""
    return ErrorExample(403, "permission_denied", message)


ORGANIZATION = {
    "id": 1,
    "name": "Padaria Estrela",
    "expectedNumber": "+5511987654321",
    "operatorsReadMessages": False,
    "createdAt": "2026-03-01T09:30:00Z",
    "isActive": True,
    "role": "owner",
}
"""An organization in examples."""

ORGANIZATION_NOT_FOUND = ErrorExample(404, "not_found", "Organization not found.")
OWNERS_ONLY = forbidden(DENIED_MESSAGES[Permission.MANAGE])
SUPERUSERS_ONLY = forbidden(SUPERUSER_REQUIRED)
TOKEN_OWNERS_ONLY = forbidden(TOKEN_OWNER_REQUIRED)
BAD_PAGE = invalid("page: Ensure this value is greater than or equal to 1.")
NO_PAGE = ErrorExample(404, "not_found", "Invalid page.")

COMMON_ERRORS = (
    ErrorExample(401, "not_authenticated", "Authentication credentials were not provided."),
    ErrorExample(401, "authentication_failed", "Invalid token."),
    ErrorExample(406, "not_acceptable", "Could not satisfy the request Accept header."),
    ErrorExample(
        429,
        "too_many_requests",
        "Too many wrong tokens from this address. Try again in 600 seconds.",
    ),
)
"""Errors of every operation."""

BODY_ERRORS = (
    ErrorExample(400, "parse_error", "JSON parse error - Expecting value: line 1 column 1"),
    ErrorExample(413, "too_large", "A request may carry 64 KB at most."),
    ErrorExample(415, "unsupported_media_type", 'Unsupported media type "text/plain" in request.'),
)
"""Errors of every operation that takes a body."""


def error_responses(*errors: ErrorExample) -> dict[int, OpenApiResponse]:
    """Return the responses of an operation for these errors and for those of every operation.

    A response has an example of each error with its status.
    """
    by_status: dict[int, list[ErrorExample]] = {}
    for error in dict.fromkeys((*errors, *COMMON_ERRORS)):
        by_status.setdefault(error.status, []).append(error)
    return {
        status: OpenApiResponse(
            ErrorSerializer,
            ", ".join(dict.fromkeys(error.code for error in found)),
            [
                OpenApiExample(
                    f"error {number}",
                    {"success": False, "code": error.code, "message": error.message},
                    summary=error.message,
                    response_only=True,
                )
                for number, error in enumerate(found, 1)
            ],
        )
        for status, found in sorted(by_status.items())
    }


def example_response(
    serializer: type[serializers.BaseSerializer[Any]], description: str, example: Any
) -> OpenApiResponse:
    """Return a JSON response with one example."""
    return OpenApiResponse(
        serializer, description, [OpenApiExample("answer", example, response_only=True)]
    )


def example_request(example: dict[str, Any], name: str = "request") -> OpenApiExample:
    """Return an example of a request's body. `name`: what it shows."""
    return OpenApiExample(name, example, request_only=True)


def example_page(row: dict[str, Any]) -> dict[str, Any]:
    """Return the example of a page with one row."""
    return {"count": 1, "next": None, "previous": None, "results": [row]}
