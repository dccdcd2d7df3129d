"""Whether the Go library may reconnect a client by itself.

whatsmeow reconnects at once after a login that WhatsApp let in, however short it was, and has no
setting against it. Where WhatsApp drops every login that is hundreds of logins a minute. But it
takes the proxy for its *next* connection at any time, so a client gets a proxy that refuses, until
its link has held; then it gets its real way back.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib import request
from urllib.parse import urlsplit

WHATSAPP = "web.whatsapp.com"
# Nothing listens on port 0, so a connection to it is refused at once and never leaves the machine.
REFUSING_PROXY = "http://127.0.0.1:0"
# Those that the library takes by name; it reads others from the environment only.
SCHEMES = ("http", "https", "socks5")


def way_out(environment: Mapping[str, str] | None = None) -> str | None:
    """Return the proxy that clients of this process use: a URL, or "" for none.

    None when it cannot be set by name; then the library never reconnects by itself.
    """
    found = os.environ if environment is None else environment
    proxy = found.get("HTTPS_PROXY") or found.get("https_proxy") or ""
    bypass = found.get("NO_PROXY") or found.get("no_proxy") or ""
    bypassed = request.proxy_bypass_environment(WHATSAPP, {"no": bypass})  # type: ignore[attr-defined]
    if not proxy or bypassed:
        return ""
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    return proxy if urlsplit(proxy).scheme in SCHEMES else None


def is_refusing(error: str) -> bool:
    """Whether an error of the library tells of the proxy that is there to refuse."""
    return urlsplit(REFUSING_PROXY).netloc in error
