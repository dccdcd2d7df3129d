"""Too many failed logins: who is refused, and what they see.

django-axes counts one name from one network; organizations/login/throttle.py the rest.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin
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
from organizations.login.throttle import keyed_hash

# As long as the column that it is counted in.
NAME_LENGTH = 255


class ThrottleBackend:
    """Refuses a login that must wait, before a password is checked. Knows no user itself."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, **credentials: Any
    ) -> None:
        """Raises PermissionDenied, which ends the search for a user."""
        if request is None or username is None:
            return
        if not throttle.allow_attempt(request, _clean(username)):
            raise PermissionDenied


class Handler(AxesDatabaseHandler):  # type: ignore[misc]
    """What `manage.py axes_reset` and its like forget is forgotten in both places."""

    def reset_attempts(
        self,
        *,
        ip_address: str | None = None,
        username: str | None = None,
        ip_or_username: bool = False,
    ) -> int:
        throttle.reset_counts(username, ip_address)
        address, username = ip_address and _column(ip_address), username and keyed_hash(username)
        done: int = super().reset_attempts(
            ip_address=address, username=username, ip_or_username=ip_or_username
        )
        return done


@receiver(user_login_failed)
def count_failure(request: HttpRequest | None = None, **_: Any) -> None:
    """A refused try is no failed login: nothing was checked."""
    if getattr(request, "login_charged", False):
        throttle.record_failure()


@receiver(user_logged_in)
def forget_failures(request: HttpRequest, user: User, **_: Any) -> None:
    throttle.reset(request, user.get_username())


def counted_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str | None:
    """Return what django-axes keeps instead of the user name that was typed: a keyed hash.

    People type passwords where the user name goes.
    """
    typed = credentials.get("username") if credentials else request.POST.get("username")
    return None if typed is None else keyed_hash(_clean(typed))


def _clean(typed: str) -> str:
    """Return a typed user name as a database can hold it; no user has a longer one, or a NUL."""
    return str(typed).replace("\0", "\N{REPLACEMENT CHARACTER}")[:NAME_LENGTH]


def counted_address(request: HttpRequest) -> str:
    """Return the client's network, as a database's column of addresses can hold it."""
    return _column(request.META.get("REMOTE_ADDR"))


def _column(address: str | None) -> str:
    """Unknown is "0.0.0.0", which no client has, and not NULL: two NULLs are never the same row."""
    network = network_of(address)
    return "0.0.0.0" if network == UNKNOWN else network


def locked_out(
    request: HttpRequest, original_response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """429, and when to try again, in the admin's look."""
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
    """How long django-axes keeps this name from this network waiting."""
    cooloff: timedelta = settings.AXES_COOLOFF_TIME
    tried = AccessAttempt.objects.filter(
        username=counted_name(request, credentials), ip_address=counted_address(request)
    )
    last = tried.order_by("-attempt_time").values_list("attempt_time", flat=True).first()
    left = cooloff if last is None else last + cooloff - timezone.now()
    return max(1, math.ceil(left.total_seconds()))


def named_in_the_log(
    username: str | None, ip_address: str | None, user_agent: str, path: str, request: HttpRequest
) -> str:
    """What a line of the log calls the client: nothing that was typed."""
    return f"address={ip_address}"
