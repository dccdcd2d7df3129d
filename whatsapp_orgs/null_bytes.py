"""Refuse NUL characters, which PostgreSQL does not store, in queries and session cookies.

Routes refuse them in paths, serializers and forms in bodies, the API in its parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib.sessions.backends import db
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


class SessionStore(db.SessionStore):
    """Django's database sessions, which ignore a cookie with a NUL (written "\\000")."""

    # The expiry in the row; None if no row was read.
    row_expires: datetime | None = None

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(None if session_key and "\0" in session_key else session_key)

    def _get_session_from_db(self) -> Any:
        row: Any = super()._get_session_from_db()  # type: ignore[misc]
        self.row_expires = row.expire_date if row else None
        return row
