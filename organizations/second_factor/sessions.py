"""The login state of a session: password checked, second factor verified, or set-up required."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django_otp import DEVICE_ID_SESSION_KEY

from organizations.models.second_factor import AuthenticatorApp, app_of

PENDING = "second_factor_pending"
# Time limit from the password to the code.
PENDING_SECONDS = 300


class Need(StrEnum):
    """The step that a session still needs before it gives access."""

    NOTHING = "nothing"
    CODE = "code"
    SET_UP = "set_up"


def need_of(user: Any, session: Any) -> Need:
    """Return what the session of a user who is logged in still needs.

    A session from before the set-up of the second factor needs a code. Staff without a second
    factor must set it up if REQUIRE_SECOND_FACTOR is true.
    """
    app = app_of(user)
    if app is not None:
        verified = session.get(DEVICE_ID_SESSION_KEY) == app.persistent_id
        return Need.NOTHING if verified else Need.CODE
    return Need.SET_UP if settings.REQUIRE_SECOND_FACTOR and user.is_staff else Need.NOTHING


def need_of_request(request: HttpRequest) -> Need:
    """Return `need_of` for a request, cached on the request."""
    found: Need | None = getattr(request, "second_factor_need", None)
    if found is None:
        found = need_of(request.user, request.session)
        request.second_factor_need = found  # type: ignore[attr-defined]
    return found


def mark_verified(request: HttpRequest, app: AuthenticatorApp) -> None:
    """Mark the session as verified by a code, and change its key."""
    request.session.cycle_key()
    request.session[DEVICE_ID_SESSION_KEY] = app.persistent_id
    request.second_factor_need = Need.NOTHING  # type: ignore[attr-defined]


def start_pending_login(request: HttpRequest, user: User, next_url: str) -> None:
    """Store in a new session that the password was correct. The login follows after the code."""
    request.session.flush()
    request.session[PENDING] = {
        "user": user.pk,
        "backend": user.backend,
        "hash": user.get_session_auth_hash(),
        "until": time.time() + PENDING_SECONDS,
        "next": next_url,
    }


def pending_user(request: HttpRequest) -> User | None:
    """Return the user whose password was checked within PENDING_SECONDS, if still valid."""
    pending = request.session.get(PENDING)
    if pending is None or time.time() > pending["until"]:
        return None
    user = User.objects.filter(pk=pending["user"], is_active=True).first()
    if user is None or not constant_time_compare(pending["hash"], user.get_session_auth_hash()):
        return None
    return user


def complete_login(request: HttpRequest, user: User, app: AuthenticatorApp) -> str:
    """Log the pending user in. Return the URL to redirect to."""
    pending = request.session.pop(PENDING)
    login(request, user, backend=pending["backend"])
    mark_verified(request, app)
    return str(pending["next"])
