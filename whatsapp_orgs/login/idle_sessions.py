"""End a login SESSION_IDLE_SECONDS after the user's last action.

The session's row and cookie hold its expiry (SESSION_COOKIE_AGE is the same number), and each
action extends it. An open live page does not: its socket only reads the session, and requests of
scripts do not count as actions.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from whatsapp_orgs.login.sessions import SessionStore

# A session is extended at most this often, so that not every page costs a write.
UPDATE_SECONDS = 60.0

GetResponse = Callable[[HttpRequest], HttpResponse]


def extend_session(get_response: GetResponse) -> GetResponse:
    """Return the middleware. SessionMiddleware around it writes the row and sets the cookie."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        session = request.session
        # Only a session that the request has read: no query here.
        expires = session.row_expires if isinstance(session, SessionStore) else None
        if expires is not None and not _is_recent(expires) and _is_by_person(request):
            session.modified = True
        return response

    return middleware


def _is_by_person(request: HttpRequest) -> bool:
    """Return whether the request opens a page or changes something, and is no script's read.

    Browsers send Sec-Fetch-Dest over https:// and on localhost. Requests without it count.
    """
    if request.method not in ("GET", "HEAD"):
        return True
    return request.headers.get("Sec-Fetch-Dest", "document") == "document"


def _is_recent(expires: datetime) -> bool:
    """Return whether a session was just extended; a later expiry is from a longer setting."""
    idle = settings.SESSION_COOKIE_AGE
    left = expires - timezone.now()
    update = timedelta(seconds=min(UPDATE_SECONDS, idle / 2))
    return timedelta(seconds=idle) - update < left <= timedelta(seconds=idle)
