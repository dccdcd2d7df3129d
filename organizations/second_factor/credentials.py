"""Checks of passwords and codes. Wrong ones count as failed logins."""

from __future__ import annotations

from math import ceil
from typing import Any

import django_otp
from axes.handlers.proxy import AxesProxyHandler
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from organizations.login import throttle
from organizations.models.second_factor import RecoveryCodes, device_for


class WrongCredential(Exception):
    """A wrong password or code, or too many of them. The message is shown to the user."""


@sensitive_variables("password")
def check_password(request: HttpRequest, user: User, password: str) -> None:
    """Raise WrongCredential unless this is the user's password."""
    name = user.get_username()
    found = authenticate(request, username=name, password=password)
    if found is None or found.pk != user.pk:
        raise WrongCredential(_("This password is not right."))
    throttle.refund(request)


@sensitive_variables("typed", "code")
def check_code(request: HttpRequest, user: User, typed: str) -> bool:
    """Consume a code, and return whether it was a recovery code. Raises WrongCredential.

    When a login limit refuses it, the middleware of django-axes answers instead of the view.
    """
    code = "".join(typed.split())
    device = device_for(user, code)
    name = user.get_username()
    credentials: dict[str, Any] = {"username": name}
    if device is not None:
        _require_no_delay(device)
    if not AxesProxyHandler.is_allowed(request, credentials):
        request.axes_locked_out = True  # type: ignore[attr-defined]
        request.axes_credentials = credentials  # type: ignore[attr-defined]
        raise WrongCredential("")
    if not throttle.allow_attempt(request, user):
        raise WrongCredential("")
    if device is None or not django_otp.verify_token(user, device.persistent_id, code):
        user_login_failed.send(__name__, credentials=credentials, request=request)
        raise WrongCredential(_("This code is not right, or it was used already."))
    throttle.refund(request)
    return isinstance(device, RecoveryCodes)


def _require_no_delay(device: Any) -> None:
    is_allowed, why = device.verify_is_allowed()
    if not is_allowed:
        seconds = max(1, ceil((why["locked_until"] - timezone.now()).total_seconds()))
        text = ngettext(
            "Too many wrong codes. Try again in {wait} second.",
            "Too many wrong codes. Try again in {wait} seconds.",
            seconds,
        )
        raise WrongCredential(text.format(wait=seconds))
