"""Sends requests for code without an event loop, so many at a time in this process.

Each holds a thread for as long as the other server likes, at most ten seconds. So all of them share
one limit, and one organization cannot take all places.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from outbound import tunnel
from outbound.client import Answer, Saved, open_client, trusted_certificates
from outbound.errors import TooManyRequests
from outbound.policy import webhook_policy
from outbound.proxies import checked_proxy
from outbound.tunnel import Proxy

AT_ONCE, AT_ONCE_FOR_ONE = 8, 4
TUNNEL_SECONDS = 10.0

_lock = threading.Lock()
_running: Counter[int | None] = Counter()


def get(url: str, organization_id: int | None) -> Answer:
    """Return the answer of a URL. `organization_id`: for whom; None for the installation.

    Raises RequestFailed and TooManyRequests.
    """

    async def ask() -> Answer:
        async with open_client(webhook_policy(), sockets=1) as client:
            return await client.get(url)

    with _place(organization_id):
        return asyncio.run(ask())


def save(url: str, limit: int, file: IO[bytes], organization_id: int | None) -> Saved:
    """Write the file at a URL, of at most `limit` bytes, to `file` as it comes.

    `organization_id`: for whom; None for the installation. Raises RequestFailed, after which a part
    of it may be there, and TooManyRequests.
    """

    async def download() -> Saved:
        async with open_client(webhook_policy(), sockets=1) as client:
            return await client.save(url, limit, file.write)

    with _place(organization_id):
        return asyncio.run(download())


def reach(
    proxy: Proxy, host: str, port: int, ca_file: str | None, organization_id: int | None
) -> int:
    """Connect to a host through a proxy; return the milliseconds until it has proved its name.

    Nothing is sent to the host. `ca_file`: other certificates than the usual ones. Raises
    ProxyUnusable, TunnelFailed and TooManyRequests.
    """
    with _place(organization_id):
        checked = asyncio.run(checked_proxy(proxy))
        trust = ssl.create_default_context(cafile=ca_file) if ca_file else trusted_certificates()
        began = time.monotonic()
        tunnel.connect(checked, host, port, trust, TUNNEL_SECONDS).close()
        return round(1000 * (time.monotonic() - began))


@contextmanager
def _place(organization_id: int | None) -> Iterator[None]:
    """Count a request while it runs. Raises TooManyRequests."""
    with _lock:
        if _running.total() >= AT_ONCE or _running[organization_id] >= AT_ONCE_FOR_ONE:
            raise TooManyRequests
        _running[organization_id] += 1
    try:
        yield
    finally:
        with _lock:
            _running[organization_id] -= 1
            if not _running[organization_id]:
                del _running[organization_id]
