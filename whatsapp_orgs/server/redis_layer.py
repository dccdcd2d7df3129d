"""Channel layer and cache on a Redis that may be unavailable: no request fails because of it.

The database is the source of truth. A message only says "read again", and every receiver also
polls; so a Redis outage delays messages and loses counts, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

from channels_redis.pubsub import (
    RedisPubSubChannelLayer,
    RedisPubSubLoopLayer,
    RedisSingleShardConnection,
)
from channels_redis.utils import _wrap_close
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from connections.outages import OutageLog

logger = logging.getLogger(__name__)

T = TypeVar("T")

# The longest wait for Redis; after a failure no call is made for RETRY_DELAY_SECONDS.
TIMEOUT_SECONDS = 1.0
RETRY_DELAY_SECONDS = 1.0
# How long a receiver waits before it compares its subscriptions with the wanted ones.
RECEIVE_SECONDS = 2.0
UNAVAILABLE_ERRORS = (RedisError, OSError, TimeoutError)


@contextlib.contextmanager
def _cancellable() -> Iterator[None]:
    """Raise the CancelledError that asyncio.wait_for loses in Python 3.11.

    It is lost when a task is cancelled in the moment in which its awaitable finishes; redis-py
    sends each command in a wait_for.
    """
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    yield
    if task.cancelling() > before:
        raise asyncio.CancelledError


@contextlib.asynccontextmanager
async def _timeout() -> AsyncIterator[None]:
    """Raise TimeoutError after TIMEOUT_SECONDS."""
    with _cancellable():
        async with asyncio.timeout(TIMEOUT_SECONDS):
            yield


class ReconnectingShard(RedisSingleShardConnection):  # type: ignore[misc]
    """A connection to publish and one to subscribe, both replaced after each failure."""

    _redis: Any
    _pubsub: Any
    _subscribed_to: set[str]

    def __init__(self, host: dict[str, Any], channel_layer: RedisPubSubLoopLayer) -> None:
        super().__init__(host, channel_layer)
        self._wanted_channels: set[str] = set()
        self._subscribed = asyncio.Event()  # there is something to receive
        self._retry_at = 0.0
        self._outage = OutageLog(logger, "Redis is unavailable", "Redis is available again")

    @property
    def is_available(self) -> bool:
        """Return whether the last call succeeded."""
        return not self._outage.ongoing

    async def publish(self, channel: str, message: bytes) -> None:
        """Publish a message; drop it if Redis is unavailable."""
        if self._now() < self._retry_at:
            return
        try:
            async with _timeout():
                await super().publish(channel, message)
        except UNAVAILABLE_ERRORS as error:
            self._record_failure(error)
        else:
            self._outage.record_success()

    async def subscribe(self, channel: str) -> None:
        """Subscribe now, or as soon as Redis is available again."""
        self._wanted_channels.add(channel)
        self._ensure_receiver()
        if self._now() < self._retry_at:
            return
        try:
            async with _timeout():
                await super().subscribe(channel)
        except UNAVAILABLE_ERRORS as error:
            await self._drop_connections(error)
        self._subscribed.set()

    async def unsubscribe(self, channel: str) -> None:
        """Unsubscribe now, or as soon as Redis is available again."""
        self._wanted_channels.discard(channel)
        if self._now() < self._retry_at:
            return
        try:
            async with _timeout():
                await super().unsubscribe(channel)
        except UNAVAILABLE_ERRORS as error:
            await self._drop_connections(error)

    async def flush(self) -> None:
        self._wanted_channels = set()
        await super().flush()

    async def _do_receiving(self) -> None:
        while True:
            try:
                await self._sync_subscriptions()
                if self._pubsub is not None and self._pubsub.subscribed:
                    with _cancellable():
                        message = await self._pubsub.get_message(
                            ignore_subscribe_messages=True, timeout=RECEIVE_SECONDS
                        )
                    self._receive_message(message)
                else:
                    self._subscribed.clear()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(RECEIVE_SECONDS):
                            await self._subscribed.wait()
            # Any error: without this task the process receives no message any more. A connection
            # that another task closes raises something else than UNAVAILABLE_ERRORS here.
            except Exception as error:
                await self._drop_connections(error)
                await asyncio.sleep(RETRY_DELAY_SECONDS)

    async def _sync_subscriptions(self) -> None:
        """Make the subscriptions equal to the wanted channels, after an outage for instance."""
        if self._wanted_channels == self._subscribed_to:
            return
        async with self._lock, _timeout():
            self._ensure_redis()
            if missing := self._wanted_channels - self._subscribed_to:
                await self._pubsub.subscribe(*missing)
                self._subscribed_to |= missing
            if unwanted := self._subscribed_to - self._wanted_channels:
                await self._pubsub.unsubscribe(*unwanted)
                self._subscribed_to -= unwanted
        self._outage.record_success()

    async def _drop_connections(self, error: Exception) -> None:
        """Close the connections, so that the next call opens new ones."""
        self._record_failure(error)
        redis, self._redis, self._pubsub = self._redis, None, None
        self._subscribed_to = set()
        if redis is not None:
            with contextlib.suppress(*UNAVAILABLE_ERRORS):
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    await redis.aclose(close_connection_pool=True)

    def _record_failure(self, error: Exception) -> None:
        """Log the outage, and make no call for RETRY_DELAY_SECONDS."""
        self._retry_at = self._now() + RETRY_DELAY_SECONDS
        self._outage.record_failure(why=type(error).__name__)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


class ReconnectingLoopLayer(RedisPubSubLoopLayer):  # type: ignore[misc]
    """The channel layer of one event loop."""

    def __init__(self, hosts: list[dict[str, Any]], **kwargs: Any) -> None:
        super().__init__(hosts=hosts, **kwargs)
        self._shards = [ReconnectingShard(host, self) for host in hosts]

    async def group_add(self, group: str, channel: str) -> None:
        """Add a channel, also one that was removed because its `receive` was cancelled."""
        if channel not in self.channels:
            await self._subscribe_to_channel(channel)
        await super().group_add(group, channel)

    async def forget(self, channel: str) -> None:
        """Unsubscribe from a channel without receivers.

        A cancelled `receive` does the same, but not when a message arrives in that moment.
        """
        if self.channels.pop(channel, None) is not None:
            await self._get_shard(channel).unsubscribe(channel)


class ReconnectingRedisLayer(RedisPubSubChannelLayer):  # type: ignore[misc]
    """The channel layer over Redis pub/sub."""

    def __init__(self, url: str, prefix: str) -> None:
        host = {
            "address": url,
            "retry": Retry(NoBackoff(), 0),
            "socket_connect_timeout": TIMEOUT_SECONDS,
            # Ends a command whose cancellation was lost: see `_cancellable`.
            "socket_timeout": TIMEOUT_SECONDS,
            "health_check_interval": 10,
            **keepalive(url),
        }
        super().__init__(hosts=[host], prefix=prefix)

    @property
    def is_available(self) -> bool:
        """Return whether Redis takes messages at the moment, as far as the running loop knows."""
        return all(shard.is_available for shard in self._get_layer()._shards)

    def _get_layer(self) -> ReconnectingLoopLayer:
        loop = asyncio.get_running_loop()
        if loop not in self._layers:
            self._layers[loop] = ReconnectingLoopLayer(
                *self._args, **self._kwargs, channel_layer=self
            )
            _wrap_close(self, loop)
        layer: ReconnectingLoopLayer = self._layers[loop]
        return layer


def keepalive(url: str) -> dict[str, Any]:
    """Return the socket options that detect a silently lost peer within about ten seconds."""
    if url.startswith("unix:"):
        return {}
    seconds = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3}
    options = {getattr(socket, name): n for name, n in seconds.items() if hasattr(socket, name)}
    return {"socket_keepalive": True, "socket_keepalive_options": options}


class JsonSerializer:
    """Serializes cache values as JSON, because a forged pickle would execute code."""

    def dumps(self, value: Any) -> bytes:
        """Return JSON. Raises TypeError for other types."""
        return json.dumps(value).encode()

    def loads(self, data: bytes) -> Any:
        """Return the value. Raises ValueError for invalid JSON."""
        return json.loads(data)


class _FaultTolerantClient(RedisCacheClient):
    """Behaves like an empty cache while Redis is unavailable."""

    def add(self, key: Any, value: Any, timeout: Any) -> bool:
        return self._call(True, lambda: super(_FaultTolerantClient, self).add(key, value, timeout))

    def get(self, key: Any, default: Any) -> Any:
        try:
            return self._call(default, lambda: super(_FaultTolerantClient, self).get(key, default))
        except ValueError:
            # Written by an older version, or by another program.
            logger.warning("the cache returned an unreadable value")
            return default

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        self._call(None, lambda: super(_FaultTolerantClient, self).set(key, value, timeout))

    def delete(self, key: Any) -> bool:
        return self._call(False, lambda: super(_FaultTolerantClient, self).delete(key))

    def has_key(self, key: Any) -> bool:
        return self._call(False, lambda: super(_FaultTolerantClient, self).has_key(key))

    def incr(self, key: Any, delta: Any) -> Any:
        """Return the new value. Raises ValueError while unavailable, as for an expired key."""
        found = self._call(None, lambda: super(_FaultTolerantClient, self).incr(key, delta))
        if found is None:
            raise ValueError("the cache is unavailable")
        return found

    def _call(self, fallback: T, command: Callable[[], T]) -> T:
        try:
            return command()
        except UNAVAILABLE_ERRORS as error:
            logger.warning("the cache is unavailable", extra={"why": type(error).__name__})
            return fallback


class FaultTolerantRedisCache(RedisCache):
    """Django's Redis cache, shared by all web processes, without errors during an outage."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _FaultTolerantClient

    def clear(self) -> None:
        """Delete the keys with our own prefix; those of other programs stay."""
        client: Any = self._cache.get_client(None, write=True)
        try:
            for key in client.scan_iter(match=f"{self.key_prefix}:*", count=1000):
                client.delete(key)
        except UNAVAILABLE_ERRORS as error:
            logger.warning("the cache was not cleared", extra={"why": type(error).__name__})
