"""Faults of what the product talks to: PostgreSQL, Redis, and the network in between."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from tests.support.faults import fault
from tests.support.namespace import Namespace
from tests.support.services import Server


@fault("server away")
def away(server: Server, how: signal.Signals = signal.SIGTERM) -> Iterator[None]:
    """A server has ended by a signal; it is back, on its port and with its data, at the end."""
    server.end(how)
    try:
        yield
    finally:
        server.start()


@fault("network cut")
def cut_off(namespace: Namespace) -> Iterator[None]:
    """No packet comes into the namespace or out of it, and no one is told."""
    namespace.cut()
    try:
        yield
    finally:
        namespace.mend()
