"""Faults of PostgreSQL, Redis and the network."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from tests.support.faults import fault
from tests.support.namespace import Namespace
from tests.support.services import Server


@fault("server away")
def away(server: Server, how: signal.Signals = signal.SIGTERM) -> Iterator[None]:
    """End a server by a signal; the end restarts it on the same port and data."""
    server.end(how)
    try:
        yield
    finally:
        server.start()


@fault("network cut")
def cut_off(namespace: Namespace) -> Iterator[None]:
    """Drop all packets of the namespace silently."""
    namespace.cut()
    try:
        yield
    finally:
        namespace.restore()
