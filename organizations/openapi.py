"""How an operation of the REST API is described: one call that a view's method is decorated with.

Every answer and every error has its example. What every operation may answer is added here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
)
from rest_framework import serializers

Serializer = type[serializers.Serializer[Any]]
View = Callable[..., Any]


@extend_schema_field({"type": "boolean", "const": False})
class No(serializers.BooleanField):
    """Always false."""


@extend_schema_field({"type": "boolean", "const": True})
class Yes(serializers.BooleanField):
    """Always true."""


class ErrorSerializer(serializers.Serializer[Any]):
    """The one shape of an error: `code` is for programs, `message` for people."""

    success = No()
    code = serializers.CharField()
    message = serializers.CharField()


@dataclass(frozen=True)
class Problem:
    """An error that an operation may answer with."""

    status: int
    code: str
    message: str

    def example(self, name: str) -> OpenApiExample:
        value = {"success": False, "code": self.code, "message": self.message}
        return OpenApiExample(name, value, summary=self.message, response_only=True)


@dataclass(frozen=True)
class Answer:
    """A good answer."""

    status: int
    means: str
    serializer: Serializer | OpenApiTypes | None = None
    example: Any = None
    media_type: str = "application/json"

    @property
    def response(self) -> OpenApiResponse:
        examples = []
        if self.example is not None:
            examples = [OpenApiExample("answer", self.example, response_only=True)]
        return OpenApiResponse(self.serializer, self.means, examples)


class PageSerializer(serializers.Serializer[Any]):
    """A page of a list. Who inherits it adds `results`."""

    count = serializers.IntegerField(min_value=0, help_text="Rows on all pages.")
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    int,
    OpenApiParameter.HEADER,
    description="After how many seconds another try makes sense.",
    response=["202", "429", "503"],
)
NO_CREDENTIALS = Problem(401, "not_authenticated", "Authentication credentials were not provided.")
BAD_TOKEN = Problem(401, "authentication_failed", "Invalid token.")
TOO_MANY_WRONG_TOKENS = Problem(
    429,
    "too_many_requests",
    "Too many wrong tokens from this address. Try again in 600 seconds.",
)
NOT_ACCEPTABLE = Problem(406, "not_acceptable", "Could not satisfy the request Accept header.")
ALWAYS = (NO_CREDENTIALS, BAD_TOKEN, NOT_ACCEPTABLE, TOO_MANY_WRONG_TOKENS)

BAD_JSON = Problem(400, "parse_error", "JSON parse error - Expecting value: line 1 column 1")
NO_LENGTH = Problem(
    411,
    "length_required",
    "A request that carries something must say how long it is (Content-Length).",
)
TOO_LARGE = Problem(413, "too_large", "A request may carry 64 KB at most.")
NOT_JSON = Problem(415, "unsupported_media_type", 'Unsupported media type "text/plain" in request.')
WITH_A_BODY = (BAD_JSON, NO_LENGTH, TOO_LARGE, NOT_JSON)

UNKNOWN = Problem(404, "not_found", "Organization not found.")


def refused(message: str) -> Problem:
    """Who calls sees it, but may not do this."""
    return Problem(403, "permission_denied", message)


def invalid(message: str) -> Problem:
    """A field that is wrong. `message` names it."""
    return Problem(400, "invalid", message)


def operation(
    name: str,
    summary: str,
    tag: str,
    answers: Iterable[Answer],
    problems: Iterable[Problem] = (),
    *,
    body: Serializer | None = None,
    example: dict[str, Any] | None = None,
    query: Serializer | None = None,
    parameters: Iterable[OpenApiParameter] = (),
) -> Callable[[View], View]:
    """Describe the operation that a view's method is. `example` is one of its body."""
    examples = []
    if body is not None:
        problems = (*problems, *WITH_A_BODY)
        examples = [OpenApiExample("request", example, request_only=True)]
    responses: dict[Any, Any] = {
        (answer.status, answer.media_type): answer.response for answer in answers
    }
    decorate: Callable[[View], View] = extend_schema(
        operation_id=name,
        summary=summary,
        tags=[tag],
        request=body,
        examples=examples,
        parameters=[*([query] if query else []), *parameters, RETRY_AFTER],
        responses=responses | _errors((*problems, *ALWAYS)),
    )
    return decorate


def _errors(problems: Iterable[Problem]) -> dict[Any, OpenApiResponse]:
    """Each status with an example of each error that comes with it."""
    by_status: dict[int, list[Problem]] = {}
    for problem in dict.fromkeys(problems):
        by_status.setdefault(problem.status, []).append(problem)
    return {
        (status, "application/json"): OpenApiResponse(
            ErrorSerializer,
            ", ".join(dict.fromkeys(problem.code for problem in found)),
            [problem.example(f"error {number}") for number, problem in enumerate(found, 1)],
        )
        for status, found in sorted(by_status.items())
    }
