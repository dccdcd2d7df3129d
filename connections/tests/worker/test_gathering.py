"""What many tasks store goes into few calls, and one that fails keeps no other out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from connections.worker.gathering import Gatherer

pytestmark = pytest.mark.sqlite_only


class Store:
    """A store whose calls wait until they are let go; it refuses the item 13."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.open = asyncio.Event()

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        await self.open.wait()
        return function(*arguments)

    def write(self, items: Sequence[int]) -> None:
        self.calls.append(list(items))
        if 13 in items:
            raise ValueError("unlucky")


async def store_while_busy(store: Store, *items: int) -> list[Any]:
    """Store the first item, and the others while that call is under way."""
    gatherer = Gatherer(store.run, store.write, 3)
    tasks = [asyncio.create_task(gatherer.store(item)) for item in items]
    async with asyncio.timeout(10):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        store.open.set()
        return await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_comes_meanwhile_goes_into_the_next_call() -> None:
    store = Store()
    assert await store_while_busy(store, *range(7)) == [None] * 7
    assert store.calls == [[0, 1, 2], [3, 4, 5], [6]]


async def test_item_that_fails_fails_alone() -> None:
    store = Store()
    found = await store_while_busy(store, 1, 13, 2)
    assert found[0] is found[2] is None
    assert isinstance(found[1], ValueError)
    assert store.calls == [[1, 13, 2], [1], [13], [2]]


async def test_later_items_are_stored_after_a_pause() -> None:
    store = Store()
    store.open.set()
    gatherer = Gatherer(store.run, store.write, 3)
    async with asyncio.timeout(10):
        await gatherer.store(1)
        await gatherer.store(2)
    assert store.calls == [[1], [2]]


async def test_who_waits_is_told_when_the_store_ends() -> None:
    store = Store()
    gatherer = Gatherer(store.run, store.write, 3)
    waiting = asyncio.create_task(gatherer.store(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert gatherer._rounds is not None
    gatherer._rounds.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(10):
            await waiting
