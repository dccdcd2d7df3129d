"""Connects to addresses that were checked, and to nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import httpcore

from outbound.addresses import Address, is_public, literal
from outbound.errors import AddressRefused
from outbound.policy import Policy
from outbound.resolver import Resolver

# A name may have any number of addresses.
MAX_TRIED = 4
# To connect, where the caller sets no limit.
SECONDS = 3.0


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Resolves a host once, checks every address, and connects to one of those.

    TLS still verifies the name of the URL: the pool passes it on by itself.
    """

    def __init__(
        self,
        policy: Policy,
        resolver: Resolver,
        network: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._network = network or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Return a connection to a host. Raises RequestFailed and httpcore's errors."""
        addresses = await self._addresses(host, port)
        loop = asyncio.get_running_loop()
        # Shared by the addresses, so that one that does not answer leaves time for the next.
        end = loop.time() + (timeout or SECONDS)
        failure: Exception = AddressRefused()  # There is no address at all.
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            part = max(0.0, end - loop.time()) / left
            try:
                return await self._network.connect_tcp(
                    str(address), port, part, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _addresses(self, host: str, port: int) -> list[Address]:
        """Return the addresses to try. Raises RequestFailed."""
        address = literal(host)
        if self._policy.trusts(host, port):
            return [address] if address else (await self._resolver.resolve(host))[:MAX_TRIED]
        # The dot keeps the resolver from completing it to a name of our own network.
        found = [address] if address else await self._resolver.resolve(f"{host}.")
        if not all(map(is_public, found)):
            raise AddressRefused
        return found[:MAX_TRIED]
