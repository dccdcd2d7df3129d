"""Proxies of organizations: set, removed, tried. A change reconnects without a scan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from connections import limits
from connections.actions.requests import lock_connection, save_request
from connections.lifecycle import LIVE, Desired, Observation, Reason, State
from connections.models import Connection, OrganizationProxy
from connections.refusals import ProxyIsTried
from organizations.access import Actor, Permission
from organizations.audit import Action, log_audit
from organizations.locks import lock_organization
from organizations.models import Organization
from outbound.tunnel import Proxy, TunnelProblem


@dataclass(frozen=True)
class ProxyValues:
    """What a person sets. `login`: user and password, "" for none; None: what is stored is kept.

    It is kept for the same kind, host and port only: nobody gets to see a password by sending it
    to a host of their own.
    """

    name: str
    scheme: str
    host: str
    port: int
    login: tuple[str, str] | None = None


@dataclass(frozen=True)
class TryResult:
    """What came of a try. `milliseconds`: to WhatsApp; without a `problem` only."""

    milliseconds: int | None = None
    problem: TunnelProblem | None = None
    detail: str = ""


def proxy_of(organization_id: int) -> Proxy | None:
    """Return an organization's proxy, None if it has none. Raises Undecryptable."""
    found = OrganizationProxy.objects.filter(organization=organization_id).first()
    return None if found is None else found.target


@transaction.atomic
def set_proxy(organization: Organization, values: ProxyValues, actor: Actor) -> OrganizationProxy:
    """Set an organization's proxy and reconnect through it; the same one again changes nothing.

    The host must have been checked. Raises PermissionDenied, and TooManyRequests for a change that
    would reconnect once too often.
    """
    lock_organization(organization, actor, Permission.MANAGE)
    stored = OrganizationProxy.objects.filter(organization=organization).first()
    place = (values.scheme, values.host, values.port)
    moved = stored is None or (stored.scheme, stored.host, stored.port) != place
    kept = None if stored is None or moved else stored.login
    login = kept if values.login is None else _login(*values.login)
    if stored is not None and not moved and stored.login == login:
        if stored.name != values.name:
            stored.name = values.name
            stored.save(update_fields=["name"])
            log_audit(Action.PROXY_SET, organization, actor, _described(stored))
        return stored
    scheme, host, port = place
    # A new row: what was found out about the last one says nothing about this one.
    proxy = OrganizationProxy(
        organization=organization,
        name=values.name,
        scheme=scheme,
        host=host,
        port=port,
        login=login,
    )
    proxy.save(force_update=stored is not None, force_insert=stored is None)
    log_audit(Action.PROXY_SET, organization, actor, _described(proxy))
    _reconnect(organization, actor)
    return proxy


@transaction.atomic
def remove_proxy(organization: Organization, actor: Actor) -> None:
    """Remove an organization's proxy and reconnect without; without one, change nothing.

    Raises PermissionDenied, TooManyRequests.
    """
    lock_organization(organization, actor, Permission.MANAGE)
    stored = OrganizationProxy.objects.filter(organization=organization).first()
    if stored is None:
        return
    log_audit(Action.PROXY_REMOVED, organization, actor, _described(stored))
    stored.delete()
    _reconnect(organization, actor)


def begin_try(proxy: OrganizationProxy) -> None:
    """Begin to try a proxy. Raises ProxyIsTried while another try is under way."""
    now = timezone.now()
    free = Q(try_began_at=None) | Q(try_began_at__lte=now - OrganizationProxy.TRY_TIMEOUT)
    mine = OrganizationProxy.objects.filter(free, pk=proxy.pk).update(try_began_at=now)
    if not mine:
        proxy.refresh_from_db(fields=["try_began_at"])
        ends_at = proxy.try_ends_at(now) or now + timedelta(seconds=1)
        raise ProxyIsTried(max(1, round((ends_at - now).total_seconds())))
    proxy.try_began_at = now


def end_try(proxy: OrganizationProxy, result: TryResult | None) -> None:
    """Store what came of a try, unless the proxy was changed meanwhile. None: it was broken off."""
    mine = OrganizationProxy.objects.filter(pk=proxy.pk, try_began_at=proxy.try_began_at)
    if result is None:
        mine.update(try_began_at=None)
        return
    mine.update(
        try_began_at=None,
        tried_at=timezone.now(),
        milliseconds=result.milliseconds,
        problem=result.problem or "",
        detail=result.detail,
    )


def _login(username: str, password: str) -> dict[str, str] | None:
    return {"username": username, "password": password} if username else None


def _described(proxy: OrganizationProxy) -> str:
    return f"{proxy.name}: {proxy.address}"


def _reconnect(organization: Organization, actor: Actor) -> None:
    """Close what is connected, or being linked, and do it again. Nothing else is begun.

    Raises TooManyRequests.
    """
    connection = lock_connection(Connection.objects.of(organization).pk)
    runs = connection.desired == Desired.CONNECTED and connection.state in LIVE
    # During a ban nothing is connected, and its end has to be remembered.
    if not runs or not organization.is_active or connection.banned_until is not None:
        return
    limits.check(connection, actor)
    if connection.is_pairing or not connection.store_name:
        if connection.state in (State.CONNECTING, State.AWAITING_SCAN):
            save_request(connection, Desired.CONNECTED, Observation.RECONNECT_REQUESTED, actor)
        return
    save_request(connection, Desired.CONNECTED, Reason.PROXY_CHANGED, actor)
