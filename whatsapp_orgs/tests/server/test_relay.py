"""Signals between the web server and its worker arrive, each once and in order."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from whatsapp_orgs.server import relay
from whatsapp_orgs.server.relay import Relay, RelayedLayer

SECONDS = 10.0


@asynccontextmanager
async def related_layers() -> AsyncIterator[tuple[RelayedLayer, RelayedLayer]]:
    """Two layers, as two processes have them."""
    layers = RelayedLayer(capacity=1000), RelayedLayer(capacity=1000)
    ends = [Relay(end, layer) for end, layer in zip(socket.socketpair(), layers, strict=True)]
    tasks = [asyncio.create_task(end.run()) for end in ends]
    while None in (layers[0].relay, layers[1].relay):
        await asyncio.sleep(0)
    try:
        yield layers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _channel(layer: RelayedLayer, group: str) -> str:
    channel = await layer.new_channel()
    await layer.group_add(group, channel)
    return str(channel)


async def _soon(coroutine: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(coroutine, SECONDS)


async def test_signal_reaches_both_processes_once() -> None:
    async with related_layers() as (web, worker):
        here, there = await _channel(web, "workers"), await _channel(worker, "workers")
        for number in range(3):
            await web.group_send("workers", {"type": "changed", "number": number})
        for layer, channel in ((web, here), (worker, there)):
            numbers = [(await _soon(layer.receive(channel)))["number"] for _ in range(3)]
            assert numbers == [0, 1, 2]
        await worker.group_send("workers", {"type": "answer"})
        assert await _soon(web.receive(here)) == {"type": "answer"}  # No echo came before it.
        assert await _soon(worker.receive(there)) == {"type": "answer"}


async def test_no_signal_of_a_burst_is_lost() -> None:
    """More at once than fit into the queue of a channel, and into the socket."""
    async with related_layers() as (web, worker):
        channel = await _channel(worker, "workers")
        for number in range(5_000):
            await web.group_send("workers", {"type": "changed", "number": number})
        for number in range(5_000):
            assert (await _soon(worker.receive(channel)))["number"] == number


async def test_signal_of_another_threads_loop_arrives() -> None:
    """As a command in a thread sends it, after a commit."""
    async with related_layers() as (web, worker):
        channel = await _channel(worker, "workers")
        await asyncio.to_thread(asyncio.run, web.group_send("workers", {"type": "changed"}))
        assert await _soon(worker.receive(channel)) == {"type": "changed"}


async def test_stopped_process_fills_no_memory(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(relay, "MAX_WAITING_BYTES", 100_000)
    own, others = socket.socketpair()  # Nobody reads the other end.
    layer = RelayedLayer()
    task = asyncio.create_task(Relay(own, layer).run())
    while layer.relay is None:
        await asyncio.sleep(0)
    with caplog.at_level(logging.ERROR), others:
        for _ in range(20_000):
            await layer.group_send("workers", {"type": "changed", "why": "x" * 50})
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    await _soon(task)


async def test_end_of_the_other_process_is_noticed() -> None:
    own, others = socket.socketpair()
    layer = RelayedLayer()
    task = asyncio.create_task(Relay(own, layer).run())
    others.sendall(b'["workers", {"type": "cha')  # It was killed while it wrote.
    others.close()
    await _soon(task)
    assert layer.relay is None
    channel = await _channel(layer, "workers")
    await layer.group_send("workers", {"type": "changed"})
    assert await _soon(layer.receive(channel)) == {"type": "changed"}
