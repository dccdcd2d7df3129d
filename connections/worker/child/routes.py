"""Decides which proxies a client of the Go library uses: its organization's, or the environment's.

Go would read HTTPS_PROXY by itself, and for a client with a SOCKS5 proxy too: such a client would
then dial the environment's proxy through its own one. So hosts get the variables under other names,
and each client is told its proxies.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib import request

WHATSAPP, MEDIA_HOST = "web.whatsapp.com", "mmg.whatsapp.net"

# What Go and Python read, and what hosts get instead. Go has never read ALL_PROXY.
_NAMES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_HIDDEN = frozenset((*_NAMES, "NO_PROXY", "no_proxy"))
_PREFIX = "CLIENTS_"

_CREDENTIALS = re.compile(r"(?<=://)[^\s/@]*@")
_ENCODED = re.compile(r"(?i)\b(?:basic|bearer)\s+[a-z0-9+/=._-]+")


@dataclass(frozen=True)
class Route:
    """The proxies of the link and of media: URLs, "" for none. `own`: they are its organization's.

    At most one of them is "" while the other is not: neonize takes one proxy for a client.
    """

    link: str
    media: str
    own: bool = False


def route_of(proxy: str, environment: Mapping[str, str] | None = None) -> Route:
    """Return the route of a client with this proxy of its organization, "" for the environment's.

    `environment`: of a host; by default of this process.
    """
    if proxy:
        return Route(proxy, proxy, own=True)
    env = os.environ if environment is None else environment
    # Hosts have the names with the prefix only; a program of ours that is no host has the others.
    given = {name.removeprefix(_PREFIX): value for name, value in env.items()}
    return Route(configured_proxy(given), configured_proxy(given, MEDIA_HOST))


def configured_proxy(environment: Mapping[str, str], host: str = WHATSAPP) -> str:
    """Return the proxy that an environment has for a host: a URL, or "" for none."""
    proxy = environment.get("HTTPS_PROXY") or environment.get("https_proxy") or ""
    bypass = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    bypassed = request.proxy_bypass_environment(host, {"no": bypass})  # type: ignore[attr-defined]
    if not proxy or bypassed:
        return ""
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    # The same for Go, which lets either look names up; the library takes this name only.
    return re.sub("(?i)^socks5h://", "socks5://", proxy)


def hide_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for hosts: its proxies have names that Go does not read."""
    return {
        _PREFIX + name if name in _HIDDEN else name: value for name, value in environment.items()
    }


def scrub(text: str) -> str:
    """Return a text without user and password of any URL, and without what a header holds."""
    return _ENCODED.sub("[hidden]", _CREDENTIALS.sub("[hidden]@", text))
