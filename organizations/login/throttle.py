"""Limits for failed logins: per network over all usernames, and per username over all networks.

django-axes counts one username from one network. In addition, each attempt is counted here before
the password is checked, so that concurrent attempts cannot exceed the limit; a correct password
refunds it. A network over its limit waits until the window ends. A username waits 1, 2, 4 …
seconds after each further failure, at most LOGIN_MAX_DELAY_SECONDS, so that nobody is locked out
permanently. A known browser has a count of its own, so that strangers' guesses do not delay its
user (organizations/login/known_browsers.py).

An account has several names: its username and its mail address. Each name is counted as it was
typed, so that unknown names get the same answers as known ones. The attempts by all names of one
account have a count of their own. If only that one is over its limit, the login is refused as if
the password were wrong: another answer would tell that two names are of one account.

The counts are in the database, which a login needs anyway.
"""

from __future__ import annotations

import logging
import math
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from organizations.client_network import network_of
from organizations.login import known_browsers
from organizations.login.accounts import find_account, login_name, spellings
from organizations.models.login_counts import LoginCount

logger = logging.getLogger(__name__)

Kind = LoginCount.Kind
Key = tuple[str, str]
"""The kind and the key of a count."""
# Counts are reset this long after the last failure.
FORGET_AFTER = timedelta(days=1)


class TooManyLogins(Exception):
    """A login was refused by a limit of this `kind`. `seconds`: time until the next attempt."""

    def __init__(self, kind: str, seconds: int) -> None:
        super().__init__(f"{kind}: wait {seconds} s")
        self.kind = kind
        self.seconds = seconds


class AccountDelayed(TooManyLogins):
    """The attempts by all names of the account are over the limit, those by the typed one not."""


def count_attempt(request: HttpRequest, name: str, account: User | None = None) -> list[Key]:
    """Count one attempt in advance, and return the keys of its counts.

    `account`: the user whom the name means. Raises TooManyLogins, and then counts nothing; raises
    AccountDelayed, and then counts it for the name and the network, as for an unknown name.
    """
    now = timezone.now()
    LoginCount.objects.filter(last_at__lt=now - FORGET_AFTER).exclude(kind=Kind.ALL).delete()
    refused: TooManyLogins | None = None
    delayed: TooManyLogins | None = None
    keys = _keys(request, name, account)
    with transaction.atomic():
        rows = _lock_rows(keys, now)
        for row in rows:
            _reset_if_over(row, now)
            seconds = math.ceil(_remaining_wait(row, now).total_seconds())
            if seconds > 0 and row.kind == Kind.ACCOUNT:
                delayed = AccountDelayed(Kind.NAME, seconds)
            elif seconds > 0 and (refused is None or seconds > refused.seconds):
                refused = TooManyLogins(row.kind, seconds)
                _log_once(row, request)
        for row in rows if refused is None else []:
            if row.kind == Kind.ACCOUNT and delayed:
                _log_once(row, request)
                continue
            row.failures += 1
            row.last_at = now
            row.save()
    if refused or delayed:
        raise refused or delayed  # type: ignore[misc]
    return keys


def charge_attempt(request: HttpRequest, name: str, account: User | None) -> None:
    """Count one attempt, and remember it in the request for `refund`. Raises as count_attempt."""
    request.login_charged = count_attempt(request, name, account)  # type: ignore[attr-defined]


def refuse(request: HttpRequest, error: TooManyLogins) -> None:
    """Mark the request as refused, for AxesMiddleware."""
    request.axes_locked_out = True  # type: ignore[attr-defined]
    request.login_refusal = error  # type: ignore[attr-defined]


def allow_attempt(request: HttpRequest, user: User) -> bool:
    """Count one attempt of a user who is known, and return True; or mark it as refused."""
    try:
        charge_attempt(request, user.get_username(), user)
    except TooManyLogins as error:
        refuse(request, error)
        return False
    return True


def refund(request: HttpRequest) -> None:
    """Take the request's attempt back: its password or code is right, or was not checked."""
    keys: list[Key] = getattr(request, "login_charged", [])
    request.login_charged = []  # type: ignore[attr-defined]
    if keys:
        _rows(keys).filter(failures__gt=0).update(failures=F("failures") - 1)


def reset(request: HttpRequest, user: User) -> None:
    """Reset a user's failures after a login; refund only this attempt to the network."""
    refund(request)
    keys = _keys_of_account(user)
    if browser := known_browsers.number_of(request, user.get_username()):
        keys = [(Kind.BROWSER, keyed_hash(browser))]
    _rows(keys).delete()


def record_failure() -> None:
    """Count one more failed login in the total, for the metrics."""
    LoginCount.objects.bulk_create([LoginCount(kind=Kind.ALL)], ignore_conflicts=True)
    LoginCount.objects.filter(kind=Kind.ALL).update(failures=F("failures") + 1)


def reset_counts(name: str | None = None, address: str | None = None) -> int:
    """Delete the counts of a name and its account, of an address's network, or all.

    Return the number deleted.
    """
    counts = LoginCount.objects.exclude(kind=Kind.ALL)
    keys: list[Key] = []
    if name:
        account = find_account(name)
        keys += _keys_of_account(account) if account else [_name_key(name)]
    if address:
        keys.append((Kind.NETWORK, keyed_hash(network_of(address))))
    count, _ = (_rows(keys) if keys else counts).delete()
    return count


def totals() -> dict[str, int]:
    """Return the number of failed logins ever ("all"), and of what is limited now, by kind.

    Names, accounts and browsers are limited as long as the longest wait lasts.
    """
    now = timezone.now()
    longest_wait_ago = now - timedelta(seconds=settings.LOGIN_MAX_DELAY_SECONDS)
    delayed = Q(failures__gte=settings.LOGIN_ATTEMPTS_PER_NAME, last_at__gt=longest_wait_ago)
    # An unknown name has a count of an account, too, with the name's own key (`_keys`).
    unknown = LoginCount.objects.filter(kind=Kind.NAME, key=OuterRef("key"))
    network = Q(
        kind=Kind.NETWORK,
        failures__gte=settings.LOGIN_ATTEMPTS_PER_NETWORK,
        started_at__gt=now - settings.AXES_COOLOFF_TIME,
    )
    found: dict[str, Any] = LoginCount.objects.aggregate(
        all=Max("failures", filter=Q(kind=Kind.ALL)),
        name=Count("pk", filter=Q(delayed, kind=Kind.NAME)),
        account=Count("pk", filter=Q(delayed, ~Exists(unknown), kind=Kind.ACCOUNT)),
        browser=Count("pk", filter=Q(delayed, kind=Kind.BROWSER)),
        network=Count("pk", filter=network),
    )
    return {key: count or 0 for key, count in found.items()}


def _keys(request: HttpRequest, name: str, account: User | None) -> list[Key]:
    """Return the keys of an attempt: of the known browser, or of name and account; of the network.

    An unknown name has the key of an account, too, so that it takes the same time.
    """
    network = (Kind.NETWORK, keyed_hash(network_of(request.META.get("REMOTE_ADDR"))))
    username = account.get_username() if account else name
    if browser := known_browsers.number_of(request, username):
        return [(Kind.BROWSER, keyed_hash(browser)), network]
    counted = _account_key(account) if account else (Kind.ACCOUNT, _name_key(name)[1])
    return [_name_key(name), counted, network]


def _name_key(name: str) -> Key:
    return Kind.NAME, keyed_hash(login_name(name))


def _account_key(account: User) -> Key:
    # With a NUL, which no typed name has, so that none has the key of an account.
    return Kind.ACCOUNT, keyed_hash(f"\0{account.pk}")


def _keys_of_account(user: User) -> list[Key]:
    return [*map(_name_key, spellings(user)), _account_key(user)]


def keyed_hash(text: str) -> str:
    """Return what is stored instead of a name, a browser or a network."""
    return salted_hmac("organizations.login.throttle", text, algorithm="sha256").hexdigest()


def _rows(keys: list[Key]) -> QuerySet[LoginCount]:
    selected = Q(pk__in=())
    for kind, key in keys:
        selected |= Q(kind=kind, key=key)
    return LoginCount.objects.filter(selected)


def _lock_rows(keys: list[Key], now: datetime) -> list[LoginCount]:
    """Return the rows of an attempt, locked in one order so that attempts never deadlock."""
    new = [LoginCount(kind=kind, key=key, started_at=now, last_at=now) for kind, key in keys]
    LoginCount.objects.bulk_create(new, ignore_conflicts=True)
    return list(_rows(keys).select_for_update().order_by("kind", "key"))


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
