"""Limits for failed logins: per network over all usernames, and per username over all networks.

django-axes counts one username from one network. In addition, each attempt is counted here before
the password is checked, so that concurrent attempts cannot exceed the limit; a correct password
refunds it. A network over its limit waits until the window ends. A username waits 1, 2, 4 …
seconds after each further failure, at most LOGIN_MAX_DELAY_SECONDS, so that nobody is locked out
permanently. A known browser has a count of its own, so that strangers' guesses do not delay its
user (organizations/login/known_browsers.py).

The counts are in the database, which a login needs anyway.
"""

from __future__ import annotations

import logging
import math
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Max, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from organizations.client_network import network_of
from organizations.login import known_browsers
from organizations.models.login_counts import LoginCount

logger = logging.getLogger(__name__)

Kind = LoginCount.Kind
# Counts are reset this long after the last failure.
FORGET_AFTER = timedelta(days=1)


class TooManyLogins(Exception):
    """A login was refused by a limit of this `kind`. `seconds`: time until the next attempt."""

    def __init__(self, kind: str, seconds: int) -> None:
        super().__init__(f"{kind}: wait {seconds} s")
        self.kind = kind
        self.seconds = seconds


def count_attempt(request: HttpRequest, name: str) -> None:
    """Count one attempt in advance. Raises TooManyLogins, and then counts nothing."""
    now = timezone.now()
    LoginCount.objects.filter(last_at__lt=now - FORGET_AFTER).exclude(kind=Kind.ALL).delete()
    refused: TooManyLogins | None = None
    with transaction.atomic():
        rows = _lock_rows(request, name, now)
        for row in rows:
            _reset_if_over(row, now)
            seconds = math.ceil(_remaining_wait(row, now).total_seconds())
            if seconds > 0 and (refused is None or seconds > refused.seconds):
                refused = TooManyLogins(row.kind, seconds)
                _log_once(row, request)
        for row in rows if refused is None else []:
            row.failures += 1
            row.last_at = now
            row.save()
    if refused is not None:
        raise refused


def allow_attempt(request: HttpRequest, name: str) -> bool:
    """Count one attempt and return True, or mark the request as refused for AxesMiddleware."""
    try:
        count_attempt(request, name)
    except TooManyLogins as error:
        request.axes_locked_out = True  # type: ignore[attr-defined]
        request.login_refusal = error  # type: ignore[attr-defined]
        return False
    request.login_charged = True  # type: ignore[attr-defined]
    request.login_charged_name = name  # type: ignore[attr-defined]
    return True


def refund(request: HttpRequest, name: str) -> None:
    """Take one counted attempt back after a correct password or code."""
    _rows(request, name).filter(failures__gt=0).update(failures=F("failures") - 1)


def refund_unchecked(request: HttpRequest) -> None:
    """Take the counted attempt back if the request's password could not be checked."""
    if getattr(request, "login_charged", False):
        request.login_charged = False  # type: ignore[attr-defined]
        refund(request, request.login_charged_name)  # type: ignore[attr-defined]


def reset(request: HttpRequest, name: str) -> None:
    """Reset a username's failures after a login; refund only this attempt to the network."""
    rows = _rows(request, name)
    rows.exclude(kind=Kind.NETWORK).delete()
    rows.filter(failures__gt=0).update(failures=F("failures") - 1)


def record_failure() -> None:
    """Count one more failed login in the total, for the metrics."""
    LoginCount.objects.bulk_create([LoginCount(kind=Kind.ALL)], ignore_conflicts=True)
    LoginCount.objects.filter(kind=Kind.ALL).update(failures=F("failures") + 1)


def reset_counts(name: str | None = None, address: str | None = None) -> int:
    """Delete the counts of a name, of an address's network, or all. Return the number deleted."""
    selected = Q()
    if name:
        selected |= Q(kind=Kind.NAME, key=keyed_hash(name))
    if address:
        selected |= Q(kind=Kind.NETWORK, key=keyed_hash(network_of(address)))
    count, _ = LoginCount.objects.filter(selected).exclude(kind=Kind.ALL).delete()
    return count


def totals() -> dict[str, int]:
    """Return the number of failed logins ever, and of names and networks that must wait now."""
    now = timezone.now()
    longest_wait_ago = now - timedelta(seconds=settings.LOGIN_MAX_DELAY_SECONDS)
    name = Q(
        kind=Kind.NAME,
        failures__gte=settings.LOGIN_ATTEMPTS_PER_NAME,
        last_at__gt=longest_wait_ago,
    )
    network = Q(
        kind=Kind.NETWORK,
        failures__gte=settings.LOGIN_ATTEMPTS_PER_NETWORK,
        started_at__gt=now - settings.AXES_COOLOFF_TIME,
    )
    found: dict[str, Any] = LoginCount.objects.aggregate(
        ever=Max("failures", filter=Q(kind=Kind.ALL)),
        names=Count("pk", filter=name),
        networks=Count("pk", filter=network),
    )
    return {key: count or 0 for key, count in found.items()}


def _keys(request: HttpRequest, name: str) -> list[tuple[str, str]]:
    """Return (kind, key) of an attempt's counts: of the known browser or name, and network."""
    browser = known_browsers.number_of(request, name)
    person = (Kind.BROWSER, keyed_hash(browser)) if browser else (Kind.NAME, keyed_hash(name))
    return [person, (Kind.NETWORK, keyed_hash(network_of(request.META.get("REMOTE_ADDR"))))]


def keyed_hash(text: str) -> str:
    """Return what is stored instead of a name, a browser or a network."""
    return salted_hmac("organizations.login.throttle", text, algorithm="sha256").hexdigest()


def _rows(request: HttpRequest, name: str) -> Any:
    selected = Q()
    for kind, key in _keys(request, name):
        selected |= Q(kind=kind, key=key)
    return LoginCount.objects.filter(selected)


def _lock_rows(request: HttpRequest, name: str, now: datetime) -> list[LoginCount]:
    """Return the rows of an attempt, locked in one order so that attempts never deadlock."""
    new = [
        LoginCount(kind=kind, key=key, started_at=now, last_at=now)
        for kind, key in _keys(request, name)
    ]
    LoginCount.objects.bulk_create(new, ignore_conflicts=True)
    return list(_rows(request, name).select_for_update().order_by("kind", "key"))


def _reset_if_over(row: LoginCount, now: datetime) -> None:
    """Reset a network's count when its window is over, and other counts after FORGET_AFTER."""
    since, span = row.last_at, FORGET_AFTER
    if row.kind == Kind.NETWORK:
        since, span = row.started_at, settings.AXES_COOLOFF_TIME
    if now - since >= span:
        row.failures, row.started_at, row.reported = 0, now, False


def _remaining_wait(row: LoginCount, now: datetime) -> timedelta:
    """Return how long the client must still wait; zero or less allows the attempt."""
    if row.kind == Kind.NETWORK:
        if row.failures < settings.LOGIN_ATTEMPTS_PER_NETWORK:
            return timedelta()
        cooloff: timedelta = settings.AXES_COOLOFF_TIME
        return row.started_at + cooloff - now
    beyond = row.failures - settings.LOGIN_ATTEMPTS_PER_NAME
    if beyond < 0:
        return timedelta()
    # Limits the exponent: a larger power overflows timedelta.
    delay = min(2.0 ** min(beyond, 30), settings.LOGIN_MAX_DELAY_SECONDS)
    return row.last_at + timedelta(seconds=delay) - now


def _log_once(row: LoginCount, request: HttpRequest) -> None:
    """Log once per window that a limit was reached, without the username."""
    if not row.reported:
        row.reported = True
        row.save(update_fields=["reported"])
        network = network_of(request.META.get("REMOTE_ADDR"))
        logger.warning("too many failed logins", extra={"limit": row.kind, "network": network})
