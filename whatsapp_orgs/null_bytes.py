"""Refuse NUL characters, which PostgreSQL does not store, in the queries of pages.

Routes refuse them in paths, serializers and forms in bodies, the API in its parameters, and
`login/sessions.py` ignores session cookies with one.
"""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.views.defaults import bad_request

GetResponse = Callable[[HttpRequest], HttpResponse]


def refuse_in_query(get_response: GetResponse) -> GetResponse:
    """Return the middleware that answers 400 to a page's query with a NUL."""

    def middleware(request: HttpRequest) -> HttpResponse:
        is_api = request.path.startswith(("/api/", "/graph/"))
        if not is_api and "%00" in request.META.get("QUERY_STRING", ""):
            return bad_request(request, SuspiciousOperation())
        return get_response(request)

    return middleware
