"""A worker listens to the groups of the connections that it has, and to no others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from channels.layers import get_channel_layer
from pytest_django import Settings

from connections.tests.support.waiting import async_until
from connections.worker import listening
from connections.worker.listening import GroupsListener

pytestmark = pytest.mark.sqlite_only


class Listening:
    """A listener, what it has heard, and how often it has joined groups."""

    def __init__(self, *wanted: str) -> None:
        self.wanted = set(wanted)
        self.heard: list[str] = []
        self.joins = 0
        self.listener = GroupsListener(lambda: self.wanted, self._notify, self._join)

    async def _notify(self, message: Mapping[str, Any]) -> None:
        self.heard.append(message["type"])

    def _join(self) -> None:
        self.joins += 1


@pytest.fixture(autouse=True)
def layer_in_memory(settings: Settings) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


@asynccontextmanager
async def listening_to(*groups: str) -> AsyncIterator[Listening]:
    found = Listening(*groups)
    running = asyncio.create_task(found.listener.run())
    await async_until(lambda: found.joins == 1, "the groups")
    try:
        yield found
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def tell(group: str, text: str) -> None:
    layer = get_channel_layer()
    assert layer is not None
    await layer.group_send(group, {"type": text})
    await asyncio.sleep(0.01)


async def test_groups_change_while_it_listens() -> None:
    async with listening_to("outbox.1", "outbox.2") as found:
        await tell("outbox.1", "first")
        await tell("outbox.3", "not for us")
        found.wanted = {"outbox.2", "outbox.3"}
        found.listener.update()
        await async_until(lambda: found.joins == 2, "the other group")
        await tell("outbox.1", "not any more")
        await tell("outbox.2", "second")
        await tell("outbox.3", "third")
    assert found.heard == ["first", "second", "third"]


async def test_update_without_a_new_group_joins_nothing() -> None:
    async with listening_to("outbox.1") as found:
        found.listener.update()
        await tell("outbox.1", "once")
        assert (found.joins, found.heard) == (1, ["once"])


async def test_it_joins_again_before_memberships_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "REJOIN_SECONDS", 0.02)
    async with listening_to("outbox.1") as found:
        await async_until(lambda: found.joins >= 3, "another join")
        await tell("outbox.1", "once")
    assert found.heard == ["once"]


async def test_failure_of_a_join_ends_it() -> None:
    """So that the supervisor logs it, and starts again."""
    found = Listening()
    found.listener = GroupsListener(lambda: 1 / 0, found._notify, found._join)  # type: ignore
    with pytest.raises(ExceptionGroup):
        async with asyncio.timeout(5):
            await found.listener.run()
