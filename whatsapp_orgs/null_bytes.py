"""PostgreSQL takes no NUL in a text, and nobody means one: it is refused before it gets there.

In an address each route sees to it, in a body each field, in the API each parameter; what is left
is looked at here.
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
    """Middleware: 400 for a page's query with a NUL."""

    def middleware(request: HttpRequest) -> HttpResponse:
        of_the_api = request.path.startswith("/api/")
        if not of_the_api and "%00" in request.META.get("QUERY_STRING", ""):
            return bad_request(request, SuspiciousOperation())
        return get_response(request)

    return middleware


class SessionStore(db.SessionStore):
    """Django's own; a cookie with a NUL (written "\\000") is the key of no session."""

    # When the row that was read says that the session ends; None when none was read.
    row_expires: datetime | None = None

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(None if session_key and "\0" in session_key else session_key)

    def _get_session_from_db(self) -> Any:
        row: Any = super()._get_session_from_db()  # type: ignore[misc]
        self.row_expires = row.expire_date if row else None
        return row
