"""Redis, where it may be away: signals and counts come late or not at all, nobody's request fails.

What matters stands in the database. A signal says only "look again", and everyone who waits for one
also looks by himself now and then; so a Redis that is restarted costs time and nothing else.
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

# Nobody waits longer for Redis than this; afterwards it is left alone for a while.
PATIENCE_SECONDS = 1.0
LEFT_ALONE_SECONDS = 1.0
RECEIVE_SECONDS = 0.5
IDLE_SECONDS = 0.1
AWAY = (RedisError, OSError, TimeoutError)


@contextlib.contextmanager
def _cancellable() -> Iterator[None]:
    """Raise the CancelledError that asyncio.wait_for loses in Python 3.11.

    It does so to a task that is cancelled just when what it waits for is done; redis-py sends each
    command in a wait_for.
    """
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    yield
    if task.cancelling() > before:
        raise asyncio.CancelledError


@contextlib.asynccontextmanager
async def _patience() -> AsyncIterator[None]:
    """Raise TimeoutError after PATIENCE_SECONDS."""
    with _cancellable():
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield


class SteadyShard(RedisSingleShardConnection):  # type: ignore[misc]
    """One connection for what is heard and one for what is told, made anew whenever they break."""

    _redis: Any
    _pubsub: Any
    _subscribed_to: set[str]

    def __init__(self, host: dict[str, Any], channel_layer: RedisPubSubLoopLayer) -> None:
        super().__init__(host, channel_layer)
        self._wanted: set[str] = set()
        self._again_at = 0.0
        self._outage = OutageLog(logger, "Redis is away", "Redis is back")

    async def publish(self, channel: str, message: bytes) -> None:
        """Tell those who listen, if Redis is there; else nobody hears of it."""
        if self._now() < self._again_at:
            return
        try:
            async with _patience():
                await super().publish(channel, message)
        except AWAY as error:
            self._leave_alone(error)
        else:
            self._outage.record_success()

    async def subscribe(self, channel: str) -> None:
        """At once if Redis is there, else as soon as it is back."""
        self._wanted.add(channel)
        self._ensure_receiver()
        if self._now() < self._again_at:
            return
        try:
            async with _patience():
                await super().subscribe(channel)
        except AWAY as error:
            await self._lost(error)

    async def unsubscribe(self, channel: str) -> None:
        """At once if Redis is there, else as soon as it is back."""
        self._wanted.discard(channel)
        if self._now() < self._again_at:
            return
        try:
            async with _patience():
                await super().unsubscribe(channel)
        except AWAY as error:
            await self._lost(error)

    async def flush(self) -> None:
        self._wanted = set()
        await super().flush()

    async def _do_receiving(self) -> None:
        while True:
            try:
                await self._catch_up()
                if self._pubsub is not None and self._pubsub.subscribed:
                    with _cancellable():
                        message = await self._pubsub.get_message(
                            ignore_subscribe_messages=True, timeout=RECEIVE_SECONDS
                        )
                    self._receive_message(message)
                else:
                    await asyncio.sleep(IDLE_SECONDS)
            # Whatever it is: without this task nobody in this process hears anything any more. To
            # one who waits for a message, connections that another task drops are no AWAY.
            except Exception as error:
                await self._lost(error)
                await asyncio.sleep(LEFT_ALONE_SECONDS)

    async def _catch_up(self) -> None:
        """Subscribe to what was asked for while Redis was away, and to nothing else."""
        if self._wanted == self._subscribed_to:
            return
        async with self._lock, _patience():
            self._ensure_redis()
            if missing := self._wanted - self._subscribed_to:
                await self._pubsub.subscribe(*missing)
                self._subscribed_to |= missing
            if superfluous := self._subscribed_to - self._wanted:
                await self._pubsub.unsubscribe(*superfluous)
                self._subscribed_to -= superfluous
        self._outage.record_success()

    async def _lost(self, error: Exception) -> None:
        """Drop the connections, so that the next try makes new ones."""
        self._leave_alone(error)
        broken, self._redis, self._pubsub = self._redis, None, None
        self._subscribed_to = set()
        if broken is not None:
            with contextlib.suppress(*AWAY):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await broken.aclose(close_connection_pool=True)

    def _leave_alone(self, error: Exception) -> None:
        """Make nobody wait for Redis for a moment."""
        self._again_at = self._now() + LEFT_ALONE_SECONDS
        self._outage.record_failure(why=type(error).__name__)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


class SteadyLoopLayer(RedisPubSubLoopLayer):  # type: ignore[misc]
    """The layer of one event loop."""

    def __init__(self, hosts: list[dict[str, Any]], **named: Any) -> None:
        super().__init__(hosts=hosts, **named)
        self._shards = [SteadyShard(host, self) for host in hosts]

    async def group_add(self, group: str, channel: str) -> None:
        """One whose `receive` was cancelled, and that was forgotten for it, joins again."""
        if channel not in self.channels:
            await self._subscribe_to_channel(channel)
        await super().group_add(group, channel)

    async def forget(self, channel: str) -> None:
        """Nobody receives from this channel any more.

        Whoever cancels `receive` says so, too, but not when a message has come at that moment.
        """
        if self.channels.pop(channel, None) is not None:
            await self._get_shard(channel).unsubscribe(channel)


class SteadyRedisLayer(RedisPubSubChannelLayer):  # type: ignore[misc]
    """The channel layer over Redis' publish and subscribe."""

    def __init__(self, url: str, prefix: str) -> None:
        host = {
            "address": url,
            "retry": Retry(NoBackoff(), 0),
            "socket_connect_timeout": PATIENCE_SECONDS,
            "health_check_interval": 10,
            **keepalive(url),
        }
        super().__init__(hosts=[host], prefix=prefix)

    def _get_layer(self) -> SteadyLoopLayer:
        loop = asyncio.get_running_loop()
        if loop not in self._layers:
            self._layers[loop] = SteadyLoopLayer(*self._args, **self._kwargs, channel_layer=self)
            _wrap_close(self, loop)
        layer: SteadyLoopLayer = self._layers[loop]
        return layer


def keepalive(url: str) -> dict[str, Any]:
    """Options that make a peer which is gone without a word show within about ten seconds."""
    if url.startswith("unix:"):
        return {}
    wanted = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3}
    options = {getattr(socket, name): n for name, n in wanted.items() if hasattr(socket, name)}
    return {"socket_keepalive": True, "socket_keepalive_options": options}


class JsonSerializer:
    """Values of the cache as JSON: a pickle that someone has put into Redis would be code."""

    def dumps(self, value: Any) -> bytes:
        """Raises TypeError for what JSON has no word for."""
        return json.dumps(value).encode()

    def loads(self, data: bytes) -> Any:
        """Raises ValueError for what is no JSON."""
        return json.loads(data)


class _ForgivingClient(RedisCacheClient):
    """While Redis is away it is as if nothing were kept."""

    def add(self, key: Any, value: Any, timeout: Any) -> bool:
        return self._or(True, lambda: super(_ForgivingClient, self).add(key, value, timeout))

    def get(self, key: Any, default: Any) -> Any:
        try:
            return self._or(default, lambda: super(_ForgivingClient, self).get(key, default))
        except ValueError:
            # Written by a version before this one, or by someone else.
            logger.warning("what Redis keeps cannot be read")
            return default

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        self._or(None, lambda: super(_ForgivingClient, self).set(key, value, timeout))

    def delete(self, key: Any) -> bool:
        return self._or(False, lambda: super(_ForgivingClient, self).delete(key))

    def has_key(self, key: Any) -> bool:
        return self._or(False, lambda: super(_ForgivingClient, self).has_key(key))

    def incr(self, key: Any, delta: Any) -> Any:
        """Raises ValueError, as for a key that has run out."""
        found = self._or(None, lambda: super(_ForgivingClient, self).incr(key, delta))
        if found is None:
            raise ValueError("nothing is kept at the moment")
        return found

    def _or(self, otherwise: T, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except AWAY as error:
            logger.warning("a count was not kept", extra={"why": type(error).__name__})
            return otherwise


class ForgivingRedisCache(RedisCache):
    """What is counted for all web processes together; a request never fails for want of it."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _ForgivingClient

    def clear(self) -> None:
        """Forget what is kept under our own prefix; what others keep there stays."""
        client: Any = self._cache.get_client(None, write=True)
        try:
            for key in client.scan_iter(match=f"{self.key_prefix}:*", count=1000):
                client.delete(key)
        except AWAY as error:
            logger.warning("counts were not cleared", extra={"why": type(error).__name__})
