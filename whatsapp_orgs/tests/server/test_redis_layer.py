"""The Redis channel layer and cache during and after an outage: no request fails."""

from __future__ import annotations

import asyncio
import pickle
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis as Client
from redis.asyncio.connection import Connection
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError
from redis.retry import Retry

from connections import broadcast
from tests.support.services import Redis
from whatsapp_orgs import backends
from whatsapp_orgs.server.redis_layer import (
    TIMEOUT_SECONDS,
    FaultTolerantRedisCache,
    ReconnectingRedisLayer,
)

pytestmark = pytest.mark.sqlite_only

GROUP = "group"
# The longest delay of a request, on a machine that is busy with other tests.
MAX_DELAY = 4.0
DEADLINE = 20.0


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with Redis() as running:
        yield running


@pytest.fixture(autouse=True)
def restart_redis(redis: Redis) -> Iterator[None]:
    """Restart Redis after a test that stopped it."""
    yield
    if redis.process is None:
        redis.start()


@pytest.fixture
async def layer(redis: Redis) -> AsyncIterator[ReconnectingRedisLayer]:
    layer = ReconnectingRedisLayer(redis.url, "test")
    yield layer
    await layer.flush()


@pytest.fixture
async def other(redis: Redis) -> AsyncIterator[ReconnectingRedisLayer]:
    """The layer of another process."""
    layer = ReconnectingRedisLayer(redis.url, "test")
    yield layer
    await layer.flush()


async def member(layer: ReconnectingRedisLayer, group: str = GROUP) -> str:
    channel: str = await layer.new_channel()
    await layer.group_add(group, channel)
    return channel


async def assert_receives(
    layer: ReconnectingRedisLayer, channel: str, sender: ReconnectingRedisLayer
) -> None:
    """Send messages until one arrives. Raises TimeoutError."""
    received = asyncio.ensure_future(layer.receive(channel))
    async with asyncio.timeout(DEADLINE):
        while not received.done():
            await sender.group_send(GROUP, {"type": "word"})
            await asyncio.wait({received}, timeout=0.1)
    assert received.result() == {"type": "word"}


async def seconds_of(coroutine: Any) -> float:
    started = time.monotonic()
    await coroutine
    return time.monotonic() - started


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.01)


# --- The channel layer ---------------------------------------------------------------------------


async def test_message_reaches_another_process(
    layer: ReconnectingRedisLayer, other: ReconnectingRedisLayer
) -> None:
    await assert_receives(layer, await member(layer), other)


async def test_other_prefix_gets_no_message(layer: ReconnectingRedisLayer, redis: Redis) -> None:
    channel = await member(layer)
    stranger = ReconnectingRedisLayer(redis.url, "other")
    await stranger.group_send(GROUP, {"type": "theirs"})
    await layer.group_send(GROUP, {"type": "ours"})
    async with asyncio.timeout(DEADLINE):
        assert await layer.receive(channel) == {"type": "ours"}
    await stranger.flush()


async def test_outage_is_known_without_a_message(
    layer: ReconnectingRedisLayer, redis: Redis
) -> None:
    """Workers move no links meanwhile."""
    await assert_receives(layer, await member(layer), layer)
    assert layer.is_available
    redis.end()
    await until(lambda: not layer.is_available)
    redis.start()
    await until(lambda: layer.is_available)


@pytest.mark.parametrize("command", ["publish", "subscribe", "unsubscribe"])
async def test_task_cancelled_at_any_step_ends(layer: ReconnectingRedisLayer, command: str) -> None:
    await assert_receives(layer, await member(layer), layer)
    [shard] = layer._get_layer()._shards
    for steps in range(100):
        if command == "unsubscribe":
            await shard.subscribe("channel")
        arguments = ("channel", b"") if command == "publish" else ("channel",)
        task = asyncio.create_task(getattr(shard, command)(*arguments))
        for _ in range(steps):
            await asyncio.sleep(0)
        if not task.cancel():
            break  # It was done before.
        async with asyncio.timeout(DEADLINE):
            with pytest.raises(asyncio.CancelledError):
                await task
        await shard.unsubscribe("channel")
    assert steps > 2


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_subscriber_gets_messages_after_a_restart_of_redis(
    layer: ReconnectingRedisLayer,
    other: ReconnectingRedisLayer,
    redis: Redis,
    caplog: pytest.LogCaptureFixture,
    how: signal.Signals,
) -> None:
    channel = await member(layer)
    await assert_receives(layer, channel, other)
    await asyncio.to_thread(redis.end, how)
    await until(lambda: "Redis is unavailable" in caplog.text)
    redis.start()
    await assert_receives(layer, channel, other)
    lines = [record.message for record in caplog.records if record.name.endswith("redis_layer")]
    outages = lines.count("Redis is unavailable")
    # Each of the two layers logs it once.
    assert 1 <= outages <= 2
    assert lines.count("Redis is available again") == outages


async def test_subscription_during_an_outage_works_afterwards(
    layer: ReconnectingRedisLayer, other: ReconnectingRedisLayer, redis: Redis
) -> None:
    await asyncio.to_thread(redis.end)
    channel = await member(layer)
    redis.start()
    await assert_receives(layer, channel, other)


async def test_unsubscription_during_an_outage_lasts_afterwards(
    layer: ReconnectingRedisLayer, redis: Redis
) -> None:
    left_channel, kept_channel = await member(layer, "left_channel"), await member(layer)
    await asyncio.to_thread(redis.end)
    await broadcast.leave_group(layer, "left_channel", left_channel)
    redis.start()
    await assert_receives(layer, kept_channel, layer)
    (shard,) = layer._shards
    await until(lambda: shard._subscribed_to == {kept_channel, "test__group__group"})


async def test_send_returns_at_once_while_redis_is_unavailable(
    layer: ReconnectingRedisLayer, redis: Redis
) -> None:
    channel = await member(layer)
    await asyncio.to_thread(redis.end)
    for _ in range(3):
        assert await seconds_of(layer.group_send(GROUP, {"type": "word"})) < MAX_DELAY
        assert await seconds_of(member(layer)) < MAX_DELAY
        assert await seconds_of(broadcast.leave_group(layer, GROUP, channel)) < MAX_DELAY


async def test_send_returns_soon_while_redis_is_silent(
    layer: ReconnectingRedisLayer, redis: Redis
) -> None:
    channel = await member(layer)
    assert redis.process is not None
    redis.process.send_signal(signal.SIGSTOP)
    try:
        # In all, not for each: after the first failure the others do not try.
        sends = [layer.group_send(GROUP, {"type": "word"}) for _ in range(50)]
        assert await seconds_of(asyncio.gather(*sends)) < MAX_DELAY
        assert await seconds_of(member(layer)) < MAX_DELAY
    finally:
        redis.process.send_signal(signal.SIGCONT)
    await assert_receives(layer, channel, layer)


async def test_send_returns_soon_after_a_stall_while_redis_is_silent(
    layer: ReconnectingRedisLayer, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine the time-out may come in the moment in which a command has been written."""
    await member(layer)
    await layer.group_send(GROUP, {"type": "word"})
    write = Connection._send_packed_command

    async def stalled(self: Connection, command: Iterable[bytes]) -> None:
        time.sleep(1.1 * TIMEOUT_SECONDS)
        await write(self, command)

    assert redis.process is not None
    redis.process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(Connection, "_send_packed_command", stalled)
    try:
        assert await seconds_of(layer.group_send(GROUP, {"type": "word"})) < MAX_DELAY
    finally:
        redis.process.send_signal(signal.SIGCONT)


async def test_closed_channels_leave_no_state(layer: ReconnectingRedisLayer) -> None:
    (shard,) = layer._shards
    for number in range(20):
        channel = await member(layer, f"group-{number}")
        receiving = asyncio.ensure_future(layer.receive(channel))
        await layer.group_send(f"group-{number}", {"type": "word"})
        if number % 2:
            await asyncio.wait_for(receiving, DEADLINE)
        receiving.cancel()
        await asyncio.wait({receiving})
        await broadcast.leave_group(layer, f"group-{number}", channel)
    assert not layer.channels and not layer.groups
    await until(lambda: not shard._subscribed_to and not shard._wanted_channels)


async def test_cancelled_receiver_can_join_again(layer: ReconnectingRedisLayer) -> None:
    channel = await member(layer)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await layer.receive(channel)
    await layer.group_add(GROUP, channel)
    await assert_receives(layer, channel, layer)


# --- The cache -----------------------------------------------------------------------------------


def cache_of(redis: Redis, prefix: str = "test") -> FaultTolerantRedisCache:
    found = backends.cache(redis.url, prefix)
    return FaultTolerantRedisCache(found.pop("LOCATION"), found)


def test_cache_counts(redis: Redis) -> None:
    cache = cache_of(redis)
    cache.clear()
    assert cache.add("count", 0, 60) is True
    assert cache.add("count", 5, 60) is False
    assert [cache_of(redis).incr("count"), cache.incr("count")] == [1, 2]
    assert cache.get_or_set("ends", 12.5, 60) == cache.get_or_set("ends", 99.0, 60) == 12.5


class FileCreator:
    """An object whose pickle creates a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self._path,)


def test_pickle_in_the_cache_is_not_executed(redis: Redis, tmp_path: Path) -> None:
    created = tmp_path / "created"
    pickled = pickle.dumps(FileCreator(created))
    cache = cache_of(redis)
    with Client.from_url(redis.url) as client:
        client.set(cache.make_key("ends"), pickled)
    assert cache.get("ends", 7) == 7
    assert cache.get_or_set("ends", 12.5, 60) == 12.5
    assert not created.exists()
    pickle.loads(pickled)
    assert created.exists()


def test_cache_takes_only_json_values(redis: Redis) -> None:
    cache = cache_of(redis)
    for value in (0, 12.5, "word", "", True, None, ["a", {"b": 1}]):
        cache.set("value", value)
        assert cache.get("value", "missing") == value
    with pytest.raises(TypeError):
        cache.set("value", object())


async def test_pickle_in_the_channel_layer_is_not_executed(
    redis: Redis, layer: ReconnectingRedisLayer, other: ReconnectingRedisLayer, tmp_path: Path
) -> None:
    channel = await member(layer)
    await assert_receives(layer, channel, other)
    created = tmp_path / "created"
    [subscribed] = [
        name for name in layer._get_layer()._shards[0]._subscribed_to if name.endswith(GROUP)
    ]
    with Client.from_url(redis.url) as client:
        assert client.publish(subscribed, pickle.dumps(FileCreator(created))) == 1
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(ValueError, match="unpack"):
            await layer.receive(channel)
    assert not created.exists()


def test_password_is_required_and_may_have_any_character() -> None:
    password = "a,b;c@d/e f"
    with Redis(password=password) as redis:
        cache = cache_of(redis)
        cache.set("count", 1)
        assert cache.incr("count") == 2
        once = Retry(NoBackoff(), 0)
        with pytest.raises(AuthenticationError), Client(port=redis.port, retry=once) as nobody:
            nobody.ping()


def test_clear_keeps_the_keys_of_others(redis: Redis) -> None:
    cache, others = cache_of(redis), cache_of(redis, "tests")
    cache.set("ours", 1)
    others.set("theirs", 1)
    cache.clear()
    assert (cache.get("ours"), others.get("theirs")) == (None, 1)


def test_cache_is_empty_while_redis_is_unavailable(redis: Redis) -> None:
    cache = cache_of(redis)
    cache.set("count", 1)
    redis.end()
    assert cache.get("count") is None and cache.get("count", 7) == 7
    assert cache.get_or_set("ends", 12.5) == 12.5
    assert cache.has_key("count") is False and cache.delete("count") is False
    cache.set("count", 1)
    cache.clear()
    assert cache.add("count", 0) is True
    with pytest.raises(ValueError, match="the cache is unavailable"):
        cache.incr("count")
    redis.start()
    cache.set("count", 1)
    assert cache.incr("count") == 2
