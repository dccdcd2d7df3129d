"""What those see who have tried too many wrong passwords. django-axes counts them."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from organizations.client_network import UNKNOWN, network_of

# As long as the column that it is counted in.
NAME_LENGTH = 255


def counted_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str | None:
    """The user name under which a wrong password is counted, as a database can hold it.

    No user has a longer name than that, or a NUL in it.
    """
    typed = credentials.get("username") if credentials else request.POST.get("username")
    return (
        None
        if typed is None
        else str(typed).replace("\0", "\N{REPLACEMENT CHARACTER}")[:NAME_LENGTH]
    )


def counted_address(request: HttpRequest) -> str:
    """Return the client's network, as a database's column of addresses can hold it.

    Unknown is "0.0.0.0", which no client has, and not NULL: two NULLs are never the same row.
    """
    network = network_of(request.META.get("REMOTE_ADDR"))
    return "0.0.0.0" if network == UNKNOWN else network


def locked_out(
    request: HttpRequest, original_response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """429, and when to try again, in the admin's look."""
    cooloff: timedelta = settings.AXES_COOLOFF_TIME
    tried = AccessAttempt.objects.filter(
        username=counted_name(request, credentials), ip_address=counted_address(request)
    )
    last = tried.order_by("-attempt_time").values_list("attempt_time", flat=True).first()
    left = cooloff if last is None else last + cooloff - timezone.now()
    seconds = max(1, math.ceil(left.total_seconds()))
    context = {
        **admin.site.each_context(request),
        "title": _("Too many wrong passwords"),
        "minutes": math.ceil(seconds / 60),
    }
    response = render(request, "admin/locked_out.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response


def named_in_the_log(
    username: str | None, ip_address: str | None, user_agent: str, path: str, request: HttpRequest
) -> str:
    """What a line of the log calls the client: nothing that was typed."""
    return f"address={ip_address}"
