"""A signed cookie that marks browsers in which a user has logged in before.

It contains a hash of the username and a random number, and gives no access: failed logins from
such a browser are counted by that number instead of by the username.
"""

from __future__ import annotations

import hashlib
import secrets

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

COOKIE = "known_browser"
SALT = "organizations.login.known_browsers"
MAX_AGE = 180 * 24 * 3600


def number_of(request: HttpRequest, name: str) -> str:
    """Return the number of a browser in which this user has logged in before, or ""."""
    try:
        digest, number = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=MAX_AGE)
    except (signing.BadSignature, ValueError):
        return ""
    return str(number) if digest == _digest(name) else ""


def remember(request: HttpRequest, response: HttpResponse, name: str) -> None:
    """Set the cookie; a known browser keeps its number."""
    number = number_of(request, name) or secrets.token_urlsafe(12)
    response.set_cookie(
        COOKIE,
        signing.dumps([_digest(name), number], salt=SALT),
        max_age=MAX_AGE,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]
