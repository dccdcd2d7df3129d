"""Checks the hosts of proxies that somebody else has chosen, before something connects to them."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings

from outbound.addresses import canonical_host, is_inner_name, is_public, literal
from outbound.errors import AddressRefused, RequestFailed
from outbound.policy import Policy, name_of, own_hosts
from outbound.resolver import Resolver
from outbound.tunnel import Proxy


class ProxyUnusable(Exception):
    """A proxy may not be connected to, or its name is not found. The text says why."""


NOT_FOUND = "its name cannot be looked up (DNS)"
NOT_ALLOWED = "its address is not on the public internet"


def proxy_policy() -> Policy:
    """Return the policy of the settings."""
    allowed = frozenset(map(name_of, settings.PROXIES_ALLOWED_HOSTS))
    return Policy(settings.PROXIES_ALLOW_PRIVATE, allowed, own_hosts())


def check_proxy_host(host: str, policy: Policy | None = None) -> str:
    """Return a host in its one spelling; no name is looked up. Raises AddressRefused."""
    policy = policy or proxy_policy()
    name = canonical_host(host.strip().removeprefix("[").removesuffix("]"))
    if policy.trusts(name):
        return name
    address = literal(name)
    if policy.is_own(name) or (is_inner_name(name) if address is None else not is_public(address)):
        raise AddressRefused
    return name


async def checked_proxy(proxy: Proxy, policy: Policy | None = None) -> Proxy:
    """Return a proxy with the address to connect to, each of its name's having been checked.

    Raises ProxyUnusable.
    """
    policy = policy or proxy_policy()
    resolver = Resolver()
    try:
        host = check_proxy_host(proxy.host, policy)
        address = literal(host)
        if policy.trusts(host):
            return proxy
        # The dot keeps the resolver from completing it to a name of our own network.
        found = [address] if address else await resolver.resolve(f"{host}.")
        if not found or not all(map(is_public, found)):
            raise AddressRefused
    except AddressRefused:
        raise ProxyUnusable(NOT_ALLOWED) from None
    except RequestFailed:
        raise ProxyUnusable(NOT_FOUND) from None
    finally:
        resolver.close()
    return replace(proxy, address=str(found[0]))
