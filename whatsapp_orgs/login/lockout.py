"""Refuse logins after too many failed ones, with a page that says when to try again.

django-axes counts each name per network; organizations/login/throttle.py counts the rest. A mail
address counts without its case, and the names of one account count together in the latter.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_credentials
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from organizations.client_network import UNKNOWN, network_of
from organizations.login import throttle
from organizations.login.accounts import find_account, login_name, spellings
from organizations.login.throttle import keyed_hash

# The length of the database column.
MAX_NAME_LENGTH = 255


class ThrottleBackend:
    """Refuses throttled logins before the password is checked. Never returns a user."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **credentials: Any,
    ) -> None:
        """Raise PermissionDenied, which stops the other backends, if the login is throttled."""
        if request is None or username is None:
            return
        name = _clean(username)
        try:
            throttle.charge_attempt(request, name, find_account(name))
        except throttle.AccountDelayed:
            # Looks like a wrong password, and takes as long.
            make_password(password)
            raise PermissionDenied from None
        except throttle.TooManyLogins as error:
            throttle.refuse(request, error)
            raise PermissionDenied from error


class AxesHandler(AxesDatabaseHandler):  # type: ignore[misc]
    """Makes `manage.py axes_reset*` reset the counts of the throttle, too."""

    def reset_attempts(
        self,
        *,
        ip_address: str | None = None,
        username: str | None = None,
        ip_or_username: bool = False,
    ) -> int:
        throttle.reset_counts(username, ip_address)
        address = ip_address and _column_value(ip_address)
        account = find_account(username) if username else None
        names: list[str | None] = [username and login_name(username)]
        if account is not None:
            names = list(spellings(account))
        deleted = 0
        for name in names:
            deleted += super().reset_attempts(
                ip_address=address,
                username=name and keyed_hash(name),
                ip_or_username=ip_or_username,
            )
        return deleted

    def user_logged_in(
        self, sender: object, request: HttpRequest, user: User, **kwargs: Any
    ) -> None:
        """Reset what was counted for the user's other names, too."""
        super().user_logged_in(sender, request, user, **kwargs)
        for name in spellings(user):
            self.reset_user_attempts(request, get_credentials(name))


@receiver(user_login_failed)
def count_failure(request: HttpRequest | None = None, **_: Any) -> None:
    """Count a failed login, but not a throttled one: its password was not checked."""
    if getattr(request, "login_charged", False):
        throttle.record_failure()


@receiver(user_logged_in)
def reset_failures(request: HttpRequest, user: User, **_: Any) -> None:
    throttle.reset(request, user)


def counted_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str | None:
    """Return a keyed hash, which django-axes stores instead of the typed name.

    People sometimes type a password into that field.
    """
    username = credentials.get("username") if credentials else request.POST.get("username")
    return None if username is None else keyed_hash(login_name(_clean(username)))


def _clean(username: str) -> str:
    """Return a typed name that fits its column: no NUL, and not too long."""
    return str(username).replace("\0", "\N{REPLACEMENT CHARACTER}")[:MAX_NAME_LENGTH]


def counted_address(request: HttpRequest) -> str:
    """Return the client's network as a value for an address column."""
    return _column_value(request.META.get("REMOTE_ADDR"))


def _column_value(address: str | None) -> str:
    """Return the network, "0.0.0.0" if unknown. Not NULL, as two NULLs are never equal."""
    network = network_of(address)
    return "0.0.0.0" if network == UNKNOWN else network


def lockout_response(
    request: HttpRequest, original_response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """Return the admin page with status 429 and Retry-After."""
    refusal: throttle.TooManyLogins | None = getattr(request, "login_refusal", None)
    seconds = refusal.seconds if refusal else _seconds_left(request, credentials)
    context = {
        **admin.site.each_context(request),
        "title": _("Too many wrong passwords"),
        "kind": refusal.kind if refusal else "both",
        "seconds": seconds,
        "minutes": math.ceil(seconds / 60),
    }
    response = render(request, "admin/locked_out.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response


def _seconds_left(request: HttpRequest, credentials: dict[str, Any] | None) -> int:
    """Return the seconds until django-axes allows this name from this network again."""
    cooloff: timedelta = settings.AXES_COOLOFF_TIME
    attempts = AccessAttempt.objects.filter(
        username=counted_name(request, credentials), ip_address=counted_address(request)
    )
    last = attempts.order_by("-attempt_time").values_list("attempt_time", flat=True).first()
    left = cooloff if last is None else last + cooloff - timezone.now()
    return max(1, math.ceil(left.total_seconds()))


def client_for_log(
    username: str | None, ip_address: str | None, user_agent: str, path: str, request: HttpRequest
) -> str:
    """Return the client's address for log lines, and nothing that was typed."""
    return f"address={ip_address}"
