"""Base class and errors of the REST API's views: caller, body limit, pagination."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.utils.translation import gettext
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import PageNumberPagination
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.views import APIView

from organizations.access import Caller
from organizations.models import ApiToken, Organization

BODY_LIMIT = 64 * 1024

Row = TypeVar("Row", bound=Model)


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"

    def __init__(self, limit: int) -> None:
        text = gettext("A request may carry {size} KB at most.")
        super().__init__(text.format(size=limit // 1024))


class Conflict(APIException):
    """409: the request conflicts with the current state."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class TooManyRequests(APIException):
    """429. `wait`: the seconds of the header Retry-After."""

    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_code = "too_many_requests"

    def __init__(self, message: str, wait: int) -> None:
        super().__init__(message)
        self.wait = wait


class Pagination(PageNumberPagination):
    """Pagination by `page` and `pageSize`, which `serializers.PageQuery` validates."""

    page_size = 50
    page_size_query_param = "pageSize"
    max_page_size = 200


class AnyAccept(DefaultContentNegotiation):
    """Accepts any Accept header: a client that wants only a file gets errors in JSON."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


def caller_of(request: Request) -> Caller:
    """Return the caller of an API request."""
    token = request.auth if isinstance(request.auth, ApiToken) else None
    return Caller(request.user, token, request.META.get("REMOTE_ADDR") or None)


class CallerView(APIView):
    """A base view with the caller, a body limit and validation. Responses are not cached."""

    @property
    def body_limit(self) -> int:
        """The bytes that a request to this view may carry."""
        return BODY_LIMIT

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > self.body_limit:
            raise BodyTooLarge(self.body_limit)
        super().initial(request, *args, **kwargs)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response.setdefault("Cache-Control", "no-store")
        return super().finalize_response(request, response, *args, **kwargs)

    @property
    def caller(self) -> Caller:
        return caller_of(self.request)

    def query(
        self, serializer: type[Serializer[Any]], organization: Organization | None = None
    ) -> dict[str, Any]:
        """Return the validated query parameters. Raises ValidationError (400).

        `organization`: as in `body`.
        """
        # A plain dict: in a QueryDict, DRF reads a missing boolean as an unticked checkbox.
        data = self.request.query_params.dict()
        return validated(serializer(data=data, context=self.context_of(organization)))

    def body(
        self,
        serializer: type[Serializer[Any]],
        *,
        partial: bool = False,
        organization: Organization | None = None,
    ) -> dict[str, Any]:
        """Return the validated fields of the body. Raises ValidationError (400).

        `organization`: the organization of the request, for fields with a phone number.
        """
        context = self.context_of(organization)
        return validated(serializer(data=self.request.data, partial=partial, context=context))

    def context_of(self, organization: Organization | None) -> dict[str, Any]:
        """Return what fields with a phone number look up."""
        return {"organization": organization, "caller": self.caller}

    def page(
        self,
        rows: QuerySet[Row],
        serializer: type[BaseSerializer[Any]],
        context: Callable[[list[Row]], dict[str, Any]] | None = None,
    ) -> Response:
        """Return one page of a list. `context` returns the serializer's context for its rows."""
        pages = Pagination()
        found = list(pages.paginate_queryset(rows, self.request, self) or [])
        known = context(found) if context else {}
        return pages.get_paginated_response(serializer(found, many=True, context=known).data)


def validated(serializer: Serializer[Any]) -> dict[str, Any]:
    """Return the validated fields of a serializer. Raises ValidationError (400)."""
    serializer.is_valid(raise_exception=True)
    fields: dict[str, Any] = serializer.validated_data
    return fields
