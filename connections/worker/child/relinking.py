"""The proxy that keeps the Go library from reconnecting a client by itself.

whatsmeow reconnects at once after a successful login, however short it was, and has no setting
against it. If WhatsApp drops every login, that is hundreds of logins a minute. But the proxy of its
*next* connection can be set at any time: a client gets a proxy that refuses, until its link is
stable; then it gets its own one back (routes.py).
"""

from __future__ import annotations

from urllib.parse import urlsplit

# Nothing listens on port 0, so a connection to it is refused at once and never leaves the machine.
REFUSING_PROXY = "http://127.0.0.1:0"


def is_relink_refusal(error: str) -> bool:
    """Return whether an error of the library comes from the refusing proxy."""
    return f"{urlsplit(REFUSING_PROXY).netloc}:" in error
