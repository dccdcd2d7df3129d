"""How an operation of the REST API is described: one call that a view's method is decorated with.

Every answer and every error has its example. What every operation may answer is added here. Only
plain facts are kept: `openapi_document` makes a document of them, and is loaded when one is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rest_framework import serializers

Serializer = type[serializers.Serializer[Any]]
View = Callable[..., Any]


class No(serializers.BooleanField):
    """Always false."""


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


@dataclass(frozen=True)
class Answer:
    """A good answer. Of another media type than JSON, it is a file without a `serializer`."""

    status: int
    means: str
    serializer: Serializer | None = None
    example: Any = None
    media_type: str = "application/json"


@dataclass(frozen=True)
class PathParameter:
    """A part of an address that needs an explanation."""

    name: str
    description: str


@dataclass(frozen=True)
class Operation:
    """What is told of one method of one view."""

    name: str
    summary: str
    tag: str
    answers: tuple[Answer, ...]
    problems: tuple[Problem, ...]
    body: Serializer | None
    examples: dict[str, dict[str, Any]]
    query: Serializer | None
    parameters: tuple[PathParameter, ...]


described: list[tuple[View, Operation]] = []
"""Every method with what is told of it, as the views were loaded."""


class PageSerializer(serializers.Serializer[Any]):
    """A page of a list. Who inherits it adds `results`."""

    count = serializers.IntegerField(min_value=0, help_text="Rows on all pages.")
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


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
    more_examples: Mapping[str, dict[str, Any]] | None = None,
    query: Serializer | None = None,
    parameters: Iterable[PathParameter] = (),
) -> Callable[[View], View]:
    """Describe the operation that a view's method is.

    `example` is one of its body, `more_examples` are others by what they show.
    """
    if body is not None:
        problems = (*problems, *WITH_A_BODY)
    told = Operation(
        name,
        summary,
        tag,
        tuple(answers),
        tuple(dict.fromkeys((*problems, *ALWAYS))),
        body,
        {} if example is None else {"request": example, **(more_examples or {})},
        query,
        tuple(parameters),
    )

    def decorate(view: View) -> View:
        described.append((view, told))
        return view

    return decorate
