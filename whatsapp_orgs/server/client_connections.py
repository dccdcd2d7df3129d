"""Limit the TCP connections of clients: their number per network, and how long one may stall."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from django.conf import settings
from twisted.internet import tcp

from organizations.client_network import network_of


class OpenConnections:
    """Counts the open connections of this process by client network."""

    def __init__(self) -> None:
        self._open: set[ClientTransport] = set()
        self._by_network: Counter[str] = Counter()

    def has_room(self, address: str) -> bool:
        """Return whether one more connection from this address is allowed.

        With TRUST_PROXY all come from the proxy, which has limits of its own (deploy/nginx.conf).
        """
        if settings.TRUST_PROXY:
            return True
        return self._by_network[network_of(address)] < settings.CONNECTIONS_PER_ADDRESS

    def add(self, transport: ClientTransport) -> None:
        self._open.add(transport)
        self._by_network[transport.network] += 1

    def remove(self, transport: ClientTransport) -> None:
        if transport not in self._open:
            return
        self._open.remove(transport)
        self._by_network[transport.network] -= 1
        if not self._by_network[transport.network]:
            del self._by_network[transport.network]

    def drop_stalled(self) -> None:
        """Abort the connections whose clients have read nothing for too long."""
        oldest_allowed = time.monotonic() - settings.CLIENT_DEADLINES["read"]
        for transport in list(self._open):
            since = transport.unread_since
            if since is not None and since < oldest_allowed:
                transport.abortConnection()


open_connections = OpenConnections()


class ClientTransport(tcp.Server):
    """A TCP transport that records since when its client has not read the pending data."""

    unread_since: float | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.network = network_of(str(self.client[0]))
        open_connections.add(self)

    def startWriting(self) -> None:
        if self.unread_since is None:
            self.unread_since = time.monotonic()
        super().startWriting()

    def stopWriting(self) -> None:
        self.unread_since = None
        super().stopWriting()

    def writeSomeData(self, data: Any) -> Any:
        sent = super().writeSomeData(data)
        if isinstance(sent, int) and sent > 0 and self.unread_since is not None:
            self.unread_since = time.monotonic()
        return sent

    def connectionLost(self, reason: Any) -> None:
        open_connections.remove(self)
        super().connectionLost(reason)
