"""How many logins may fail: per network over all names, and per name over all networks.

django-axes counts one name from one network. Beside it, each try is counted here before the
password is checked, so that tries at the same time do not overtake the limit; a right password
takes its count back. A network waits until its window ends. A name waits 1, 2, 4 … seconds after
each further failure, at most LOGIN_MAX_DELAY_SECONDS, so nobody can be locked out for good. A
browser in which the person has logged in before has a count of its own: strangers who guess do
not delay it (organizations/known_browsers.py).

Counted in the database, which a login needs anyway: without it there is no login.
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

from organizations import known_browsers
from organizations.client_network import network_of
from organizations.login_counts import LoginCount

logger = logging.getLogger(__name__)

Kind = LoginCount.Kind
# A name's count is forgotten when nobody has guessed for so long.
FORGET_AFTER = timedelta(days=1)


class TooManyLogins(Exception):
    """This login must wait. `kind`: which count says so. `seconds`: when to try again."""

    def __init__(self, kind: str, seconds: int) -> None:
        super().__init__(f"{kind}: wait {seconds} s")
        self.kind = kind
        self.seconds = seconds


def charge(request: HttpRequest, name: str) -> None:
    """Count one try in advance. Raises TooManyLogins, and counts nothing then."""
    now = timezone.now()
    LoginCount.objects.filter(last_at__lt=now - FORGET_AFTER).exclude(kind=Kind.ALL).delete()
    refused: TooManyLogins | None = None
    with transaction.atomic():
        rows = _lock_rows(request, name, now)
        for row in rows:
            _begin_anew(row, now)
            seconds = math.ceil(_wait(row, now).total_seconds())
            if seconds > 0 and (refused is None or seconds > refused.seconds):
                refused = TooManyLogins(row.kind, seconds)
                _report(row, request)
        for row in rows if refused is None else []:
            row.failures += 1
            row.last_at = now
            row.save()
    if refused is not None:
        raise refused


def admit(request: HttpRequest, name: str) -> bool:
    """Count one try in advance, or mark the request as refused: AxesMiddleware answers it then."""
    try:
        charge(request, name)
    except TooManyLogins as error:
        request.axes_locked_out = True  # type: ignore[attr-defined]
        request.login_refusal = error  # type: ignore[attr-defined]
        return False
    request.login_charged = True  # type: ignore[attr-defined]
    request.login_charged_name = name  # type: ignore[attr-defined]
    return True


def refund(request: HttpRequest, name: str) -> None:
    """Take back one charge: the password, or the code, was right."""
    _rows(request, name).filter(failures__gt=0).update(failures=F("failures") - 1)


def refund_unchecked(request: HttpRequest) -> None:
    """Take back the charge of a request whose password could not be checked, if it has one."""
    if getattr(request, "login_charged", False):
        request.login_charged = False  # type: ignore[attr-defined]
        refund(request, request.login_charged_name)  # type: ignore[attr-defined]


def reset(request: HttpRequest, name: str) -> None:
    """Forget the failures of a name that has logged in; of the network only its own charge."""
    rows = _rows(request, name)
    rows.exclude(kind=Kind.NETWORK).delete()
    rows.filter(failures__gt=0).update(failures=F("failures") - 1)


def record_failure() -> None:
    """Count one more failed login in the total, for the metrics."""
    LoginCount.objects.bulk_create([LoginCount(kind=Kind.ALL)], ignore_conflicts=True)
    LoginCount.objects.filter(kind=Kind.ALL).update(failures=F("failures") + 1)


def forget(name: str | None = None, address: str | None = None) -> int:
    """Forget the failures of a name, of an address's network, or all. Return how many rows."""
    wanted = Q()
    if name:
        wanted |= Q(kind=Kind.NAME, key=keyed_hash(name))
    if address:
        wanted |= Q(kind=Kind.NETWORK, key=keyed_hash(network_of(address)))
    count, _ = LoginCount.objects.filter(wanted).exclude(kind=Kind.ALL).delete()
    return count


def totals() -> dict[str, int]:
    """Return the failed logins ever, and how many names and networks have to wait now."""
    now = timezone.now()
    late = now - timedelta(seconds=settings.LOGIN_MAX_DELAY_SECONDS)
    name = Q(kind=Kind.NAME, failures__gte=settings.LOGIN_ATTEMPTS_PER_NAME, last_at__gt=late)
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
    """Whose failures count: the network's, and the browser's or else the name's."""
    browser = known_browsers.number_of(request, name)
    own = (Kind.BROWSER, keyed_hash(browser)) if browser else (Kind.NAME, keyed_hash(name))
    return [own, (Kind.NETWORK, keyed_hash(network_of(request.META.get("REMOTE_ADDR"))))]


def keyed_hash(text: str) -> str:
    """Return what is stored instead of a name, a browser or a network."""
    return salted_hmac("organizations.login_throttle", text, algorithm="sha256").hexdigest()


def _rows(request: HttpRequest, name: str) -> Any:
    wanted = Q()
    for kind, key in _keys(request, name):
        wanted |= Q(kind=kind, key=key)
    return LoginCount.objects.filter(wanted)


def _lock_rows(request: HttpRequest, name: str, now: datetime) -> list[LoginCount]:
    """The rows of a try, locked in one order: two tries never wait for each other."""
    new = [
        LoginCount(kind=kind, key=key, started_at=now, last_at=now)
        for kind, key in _keys(request, name)
    ]
    LoginCount.objects.bulk_create(new, ignore_conflicts=True)
    return list(_rows(request, name).select_for_update().order_by("kind", "key"))


def _begin_anew(row: LoginCount, now: datetime) -> None:
    """Forget what is over: a network's window, or what was long ago."""
    since, span = row.last_at, FORGET_AFTER
    if row.kind == Kind.NETWORK:
        since, span = row.started_at, settings.AXES_COOLOFF_TIME
    if now - since >= span:
        row.failures, row.started_at, row.reported = 0, now, False


def _wait(row: LoginCount, now: datetime) -> timedelta:
    """How long this row makes its client wait; none at all, or less, lets it pass."""
    if row.kind == Kind.NETWORK:
        if row.failures < settings.LOGIN_ATTEMPTS_PER_NETWORK:
            return timedelta()
        cooloff: timedelta = settings.AXES_COOLOFF_TIME
        return row.started_at + cooloff - now
    beyond = row.failures - settings.LOGIN_ATTEMPTS_PER_NAME
    if beyond < 0:
        return timedelta()
    # A power beyond 2**30 would be no number of seconds any more.
    delay = min(2.0 ** min(beyond, 30), settings.LOGIN_MAX_DELAY_SECONDS)
    return row.last_at + timedelta(seconds=delay) - now


def _report(row: LoginCount, request: HttpRequest) -> None:
    """One line for each time that a limit is reached, without what was typed."""
    if not row.reported:
        row.reported = True
        row.save(update_fields=["reported"])
        network = network_of(request.META.get("REMOTE_ADDR"))
        logger.warning("too many failed logins", extra={"limit": row.kind, "network": network})
