"""Looks names up, in threads of its own and for a bounded time."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from outbound.addresses import Address, literal
from outbound.errors import AddressRefused, Kind, RequestFailed

# A server of names that does not answer holds a thread for longer than we wait.
THREADS = 16
SECONDS = 3.0
# The resolver has no answer now, or is not there; all other errors say that there is no address.
TEMPORARY = frozenset({socket.EAI_AGAIN, socket.EAI_SYSTEM, socket.EAI_MEMORY, socket.EAI_FAIL})


class Resolver:
    """Looks up several names at a time, and each name only once at a time."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="outbound-dns")
        self._running: dict[str, asyncio.Future[list[Address]]] = {}

    async def resolve(self, name: str) -> list[Address]:
        """Return the addresses of a name; they are not checked.

        Raises AddressRefused when it has none, and RequestFailed.
        """
        running = self._running.get(name)
        if running is None:
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._threads, look_up, name)
            self._running[name] = running
            running.add_done_callback(lambda _: self._forget(name))
        try:
            async with asyncio.timeout(SECONDS):
                # Others may wait for it, too.
                return await asyncio.shield(running)
        except socket.gaierror as error:
            if error.errno in TEMPORARY:
                raise RequestFailed(Kind.DNS) from error
            raise AddressRefused from error
        except (UnicodeError, OSError) as error:  # TimeoutError among them.
            raise RequestFailed(Kind.DNS) from error

    def close(self) -> None:
        """Do not wait for names that are still looked up."""
        for running in list(self._running.values()):
            running.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _forget(self, name: str) -> None:
        found = self._running.pop(name, None)
        if found is not None and not found.cancelled():
            found.exception()  # Nobody may have waited for it until its end.


def look_up(name: str) -> list[Address]:
    """Return the addresses of a name. Raises OSError and UnicodeError."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    addresses = (literal(str(info[4][0])) for info in found)
    return list(dict.fromkeys(address for address in addresses if address is not None))
