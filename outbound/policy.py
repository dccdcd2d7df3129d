"""Which addresses may be connected to beside those on the public internet."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings


@dataclass(frozen=True)
class Policy:
    """`own_hosts` are never connected to; one that begins with a dot stands for all below it.

    With `allow_private`, `allowed_hosts` (empty: all hosts) may have any address and port, and
    http; for the others the rules stay.
    """

    allow_private: bool = False
    allowed_hosts: frozenset[str] = frozenset()
    own_hosts: frozenset[str] = frozenset()
    sandbox: tuple[str, int] | None = None
    """The host and port of the simulator's receiver of webhooks."""

    def trusts(self, host: str, port: int = 0) -> bool:
        """Return whether a host may have any address."""
        if (host, port) == self.sandbox:
            return True
        return self.allow_private and (not self.allowed_hosts or host in self.allowed_hosts)

    def is_own(self, host: str) -> bool:
        """Return whether a host is this service itself."""
        return any(
            host == own or (own.startswith(".") and f".{host}".endswith(own))
            for own in self.own_hosts
        )


def webhook_policy() -> Policy:
    """Return the policy of the settings."""
    return Policy(
        settings.WEBHOOKS_ALLOW_PRIVATE,
        frozenset(map(name_of, settings.WEBHOOKS_ALLOWED_HOSTS)),
        own_hosts(),
        _sandbox(),
    )


def own_hosts() -> frozenset[str]:
    """Return the names of this service itself."""
    origins = (urlsplit(origin).netloc for origin in settings.CSRF_TRUSTED_ORIGINS)
    own = (name_of(host) for host in (*settings.ALLOWED_HOSTS, *origins))
    return frozenset(own) - {"", "*"}


def _sandbox() -> tuple[str, int] | None:
    """Return where the simulator receives webhooks; None with WhatsApp itself, or without it."""
    if settings.WHATSAPP_SERVER != "simulator":
        return None
    try:
        url = urlsplit(json.loads(settings.SIMULATOR_STATE.read_text())["hooks_url"])
    except (OSError, ValueError, KeyError):
        return None
    return (url.hostname, url.port) if url.hostname and url.port else None


def name_of(host: str) -> str:
    """Return a configured host as `addresses.ParsedUrl` has it: no brackets, port or last dot."""
    host = host.strip().lower().removeprefix("*")
    if host.startswith("["):
        return host[1:].partition("]")[0]
    if host.count(":") == 1:
        host = host.partition(":")[0]
    return host.rstrip(".")
