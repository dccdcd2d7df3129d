"""Decides whether the Go library may reconnect a client by itself.

whatsmeow reconnects at once after a successful login, however short it was, and has no setting
against it. If WhatsApp drops every login, that is hundreds of logins a minute. But the proxy of its
*next* connection can be set at any time: a client gets a proxy that refuses, until its link is
stable; then it gets the configured proxy back.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib import request
from urllib.parse import urlsplit

WHATSAPP = "web.whatsapp.com"
# Nothing listens on port 0, so a connection to it is refused at once and never leaves the machine.
REFUSING_PROXY = "http://127.0.0.1:0"
# The library accepts these through SetProxyAddress, others from the environment only.
SCHEMES = ("http", "https", "socks5")


def configured_proxy(environment: Mapping[str, str] | None = None) -> str | None:
    """Return the proxy that clients of this process use: a URL, or "" for none.

    None when SetProxyAddress does not accept it; then the library never reconnects by itself.
    """
    env = os.environ if environment is None else environment
    proxy = env.get("HTTPS_PROXY") or env.get("https_proxy") or ""
    bypass = env.get("NO_PROXY") or env.get("no_proxy") or ""
    bypassed = request.proxy_bypass_environment(WHATSAPP, {"no": bypass})  # type: ignore[attr-defined]
    if not proxy or bypassed:
        return ""
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    return proxy if urlsplit(proxy).scheme in SCHEMES else None


def is_relink_refusal(error: str) -> bool:
    """Return whether an error of the library comes from the refusing proxy."""
    return urlsplit(REFUSING_PROXY).netloc in error
