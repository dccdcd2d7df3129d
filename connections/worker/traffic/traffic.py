"""The traffic of one worker: its background tasks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from connections.actions import Fence
from connections.broadcast import outbox_group
from connections.worker.hosts.client import ClientHandle
from connections.worker.listening import GroupsListener
from connections.worker.message_port import MAINTENANCE
from connections.worker.polling import PollTimer, seconds_until
from connections.worker.traffic.context import TrafficContext
from connections.worker.traffic.downloads import Downloads
from connections.worker.traffic.incoming import IncomingTraffic
from connections.worker.traffic.lost import LostMessages
from connections.worker.traffic.outgoing import OutgoingTraffic
from connections.worker.traffic.signals import Signals

logger = logging.getLogger(__name__)

MAINTAIN_SECONDS = 5.0
# After a restart hundreds connect within seconds.
CONNECTED_SECONDS = 1.0
CLEAN_SECONDS = 300.0


class MessageTraffic:
    """Moves messages between this worker's clients and the database."""

    def __init__(self, context: TrafficContext) -> None:
        self._context = context
        self._outgoing = OutgoingTraffic(context)
        self._downloads = Downloads(context)
        self._incoming = IncomingTraffic(context, self._downloads.wake)
        self._signals = Signals(context)
        self._lost = LostMessages(context, self._incoming)
        self._maintain_timer = PollTimer(0.0)
        self._connected_timer = PollTimer(CONNECTED_SECONDS)
        # What was announced before it joined is found by a look.
        self._listener = GroupsListener(
            lambda: map(outbox_group, context.tasks()),
            self.notify_outbox,
            self._connected_timer.wake,
        )

    async def notify_outbox(self, message: Mapping[str, Any]) -> None:
        """Look at an organization's outbox soon, or show that it types (see broadcast.py)."""
        if message["type"] == "outbox.typing":
            await self._signals.show_typing(
                message["connection"], message["contact"], message["typing"]
            )
        else:
            self._outgoing.wake(message["connection"])
            self._signals.wake()  # The message may be a read mark.

    def follow(self, connection_id: int, client: ClientHandle, spool: Path) -> None:
        """Store what a new client's spool gets, as it comes, and look for work once it connects."""
        client.on_connected = self.handle_connected
        self._listener.update()
        self._incoming.follow(connection_id, client, spool)

    async def find_lost(self, fence: Fence, store: str) -> None:
        """Name the messages of a store without a client that were never stored."""
        await self._lost.find_before_login(fence, store)

    def handle_connected(self) -> None:
        """Look soon for what waited for a connected client, or for a task."""
        self._listener.update()
        self._connected_timer.wake()

    @property
    def wakers(self) -> dict[str, Callable[[], None]]:
        """What wakes its polls, by the kind of work."""
        return {
            "messages": self._outgoing.look,
            "read marks": self._signals.wake,
            "media": self._downloads.wake,
            MAINTENANCE: self._maintain_timer.wake,
        }

    @property
    def background_tasks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """The functions that the supervisor runs again and again, by name."""
        return {
            "listen for messages": self._listener.run,
            "send messages": self._outgoing.run,
            "recover messages": self._outgoing.recover,
            "read spools": self._incoming.read_leftovers,
            "tell what was read": self._signals.run,
            "fetch media": self._downloads.run,
            "find lost messages": self._lost.run_round,
            "look at connected clients": self._look_at_connected,
            "maintain messages": self._maintain,
            "delete old messages": self._clean,
        }

    async def _clean(self) -> None:
        # First, as a start has more urgent work for the database.
        await asyncio.sleep(CLEAN_SECONDS)
        context = self._context
        if not context.lease_held():
            return
        for organization_id in await context.upkeep_db(context.port.organizations_to_clean):
            try:
                await context.upkeep_db(context.port.clean, organization_id)
            except Exception:
                # What one has stored, as a value whose key is gone, stops no other's.
                logger.exception(
                    "an organization could not be cleaned", extra={"organization": organization_id}
                )
        await context.upkeep_db(context.port.forget)

    async def _maintain(self) -> None:
        await asyncio.sleep(MAINTAIN_SECONDS)
        next_at = None
        if self._context.lease_held():
            next_at = await self._context.upkeep_db(self._context.port.maintain)
        await self._maintain_timer.wait(seconds_until(next_at))

    async def _look_at_connected(self) -> None:
        await self._connected_timer.wait()
        for wake in self.wakers.values():
            wake()

    async def close(self) -> None:
        """Store what the clients, which have ended, have left in their spools."""
        await self._incoming.close()
        await self._incoming.drain_leftovers()
