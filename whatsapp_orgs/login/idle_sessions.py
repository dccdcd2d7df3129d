"""A login ends SESSION_IDLE_SECONDS after the last thing that its person did.

A session's row and cookie say when it ends (SESSION_COOKIE_AGE is the same number); what a person
does moves that on. A live page that nobody touches does not: its socket reads the session and never
writes it, and what its scripts fetch by themselves counts for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from whatsapp_orgs.null_bytes import SessionStore

# The end is moved on by no less, so that a page costs no write each time.
STEP_SECONDS = 60.0

GetResponse = Callable[[HttpRequest], HttpResponse]


def extend_session(get_response: GetResponse) -> GetResponse:
    """Middleware, inside of SessionMiddleware, which then writes the row and sets the cookie."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        session = request.session
        # Only a session that was read anyway: this asks the database nothing.
        expires = session.row_expires if isinstance(session, SessionStore) else None
        if expires is not None and not _is_recent(expires) and _is_by_person(request):
            session.modified = True
        return response

    return middleware


def _is_by_person(request: HttpRequest) -> bool:
    """Whether this opens a page or changes something, and is no read of a script.

    Browsers mark what scripts fetch on https:// and on localhost. Without the mark it counts.
    """
    if request.method not in ("GET", "HEAD"):
        return True
    return request.headers.get("Sec-Fetch-Dest", "document") == "document"


def _is_recent(expires: datetime) -> bool:
    """Whether a session ends about as late as it may; later, it is from a longer setting."""
    idle = settings.SESSION_COOKIE_AGE
    left = expires - timezone.now()
    step = timedelta(seconds=min(STEP_SECONDS, idle / 2))
    return timedelta(seconds=idle) - step < left <= timedelta(seconds=idle)
