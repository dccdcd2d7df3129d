"""Takes the messages that wait: one at a time for each connection, many connections at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.utils import timezone

from connections.stores import StoreDamaged, StoreUnavailable, StoreUnusable
from connections.worker.hosts.client import ClientHandle
from connections.worker.message_port import Interrupted, Outgoing
from connections.worker.polling import PollTimer, safety_seconds
from connections.worker.tasks.connection_task import ConnectionTask
from connections.worker.tasks.context import loop_time
from connections.worker.traffic.backoff import Backoff
from connections.worker.traffic.context import TrafficContext
from connections.worker.traffic.sending import Sender

logger = logging.getLogger(__name__)

# The shortest pause between two rounds.
MIN_PAUSE_SECONDS = 0.05
# The backoff of an outbox whose messages may not leave for now, because of a limit for instance.
FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 1.0, 15.0
RECOVER_SECONDS = 5.0
MAX_CONCURRENT = 200
# How many messages are taken in one transaction.
TAKEN_AT_ONCE = 50
# How long a stop waits for WhatsApp to accept what is being sent.
FINISH_SECONDS = 1.5


class OutgoingTraffic:
    """Sends what waits in the outboxes of this worker's connections.

    An announced message is taken at once, without a look at any outbox before.
    """

    def __init__(self, context: TrafficContext) -> None:
        self._context = context
        self._sender = Sender(context)
        self._woken = asyncio.Event()
        self._announced: dict[int, None] = {}  # connections that have messages, oldest first
        self._gaps: dict[int, float] = {}  # until when pacing lets nothing leave
        self._look_at = 0.0
        self._backoffs: dict[int, Backoff] = {}
        self._senders: dict[int, asyncio.Task[None]] = {}
        self._taking: asyncio.Task[float] | None = None
        self._in_flight: set[int] = set()
        self._recovery_timer = PollTimer(0.0)
        self._looked_up: set[int] = set()  # messages that stay unknown

    def wake(self, connection_id: int) -> None:
        """Send soon what waits in an outbox, unless another worker has its connection."""
        if connection_id not in self._context.tasks():
            return
        self._backoffs.pop(connection_id, None)
        self._announced[connection_id] = None
        self._woken.set()

    def look(self) -> None:
        """Look at all outboxes soon, but those that back off, and for interrupted messages."""
        self._look_at = 0.0
        self._woken.set()
        self._recovery_timer.wake()

    async def run(self) -> None:
        """Send what waits, until cancelled."""
        try:
            while True:
                self._woken.clear()
                # A task of its own: what it takes is sent, also when this one is cancelled.
                self._taking = asyncio.create_task(self._start_senders(), name="take messages")
                pause = await asyncio.shield(self._taking)
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(MIN_PAUSE_SECONDS, pause)):
                        await self._woken.wait()
        finally:
            await self._finish()

    async def _finish(self) -> None:
        """Let the senders finish for a moment; the next worker looks up what they were sending."""
        deadline = loop_time() + FINISH_SECONDS
        if self._taking is not None:
            await _finish_until(deadline, [self._taking])
        await _finish_until(deadline, list(self._senders.values()))

    async def recover(self) -> None:
        """Look up the messages whose sending nobody follows any more, and sleep."""
        context = self._context
        await asyncio.sleep(RECOVER_SECONDS)
        left = []
        if context.lease_held():
            worker = context.get_worker().pk
            followed, done = frozenset(self._in_flight), frozenset(self._looked_up)
            left = await context.db(context.port.interrupted, worker, followed, done)
        for message in left:
            await self._recover(message)
        # Again until nothing is left: their stores may be unavailable.
        await self._recovery_timer.wait(0.0 if left else None)

    async def _recover(self, message: Interrupted) -> None:
        if message.message_id in self._in_flight:
            return
        context = self._context
        try:
            found = await self._sender.find_id(message.connection_id, message.store, message.secret)
        except StoreUnavailable:
            return  # The next look finds the same message again.
        except (StoreDamaged, StoreUnusable):
            # Nobody can tell any more whether it left.
            logger.exception(
                "a store cannot be read", extra={"organization": message.connection_id}
            )
            found = None
        await context.db(context.port.record_interrupted, message, found)
        if message.unknown:
            self._looked_up.add(message.message_id)  # The library does nothing more with it.
            return
        self._announced.setdefault(message.connection_id)  # It may be queued again.
        self._woken.set()

    async def _start_senders(self) -> float:
        """Send the next messages of the connections that may send now.

        Return the seconds until another may. A sender that ends, and a new message, wake the loop
        earlier.
        """
        if not self._context.lease_held():
            return safety_seconds()
        if (now := loop_time()) >= self._look_at:
            # Before the look: who asks for another one meanwhile gets it.
            ends = (each.until for each in self._backoffs.values() if each.until > now)
            self._look_at = min([now + safety_seconds(), *ends])
            await self._look()
        await self._take_announced()
        now = loop_time()
        next_takes = (self._gaps.get(pk, now) for pk in self._announced if pk not in self._senders)
        return min([self._look_at, *next_takes]) - now

    async def _look(self) -> None:
        """Find the outboxes in which a message waits, whether it was announced or not."""
        context, now = self._context, loop_time()
        looked_at = [
            pk
            for pk in context.connected_clients()
            if pk not in self._senders
            and (pk not in self._backoffs or self._backoffs[pk].until <= now)
        ]
        if not looked_at:
            return
        waiting = await context.db(context.port.with_outgoing, looked_at)
        # Those that have waited longest first.
        for pk in sorted(waiting, key=waiting.__getitem__):
            self._announced.setdefault(pk)
            self._wait_until(pk, waiting[pk])

    def _back_off(self, connection_id: int) -> None:
        """Leave an outbox alone for a while, longer each time."""
        earlier = self._backoffs.get(connection_id)
        backoff = Backoff.after(earlier, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
        self._backoffs[connection_id] = backoff
        self._look_at = min(self._look_at, backoff.until)

    def _wait_until(self, connection_id: int, at: datetime) -> None:
        """Take nothing of a connection before a time."""
        seconds = (at - timezone.now()).total_seconds()
        self._gaps[connection_id] = loop_time() + seconds

    async def _take_announced(self) -> None:
        """Take the next messages of the connections that have some and may send now."""
        tasks, now = self._context.tasks(), loop_time()
        room = min(MAX_CONCURRENT - len(self._senders), TAKEN_AT_ONCE)
        due: dict[int, tuple[ConnectionTask, ClientHandle]] = {}
        for pk in list(self._announced):
            task = tasks.get(pk)
            client = task.client if task is not None else None
            if task is None or client is None or not client.connected:
                # A look finds its messages when it is connected again.
                del self._announced[pk]
                self._gaps.pop(pk, None)
            elif pk not in self._senders and self._gaps.get(pk, now) <= now and len(due) < room:
                del self._announced[pk]
                self._gaps.pop(pk, None)
                due[pk] = (task, client)
        if due:
            await self._take(due)

    async def _take(self, due: Mapping[int, tuple[ConnectionTask, ClientHandle]]) -> None:
        """Take the next message of each of these connections, and start to send it."""
        context = self._context
        fences = [task.fence for task, _ in due.values()]
        try:
            taken = await context.db(context.port.take_outgoing, fences)
        except Exception:
            if len(due) > 1:  # One of them may fail; it keeps no other out.
                for pk, found in due.items():
                    await self._take({pk: found})
                return
            (pk,) = due
            logger.exception("a message could not be taken", extra={"organization": pk})
            self._recovery_timer.wake()
            taken = {pk: None}
        for pk, outgoing in taken.items():
            if outgoing is None:
                self._back_off(pk)
            elif isinstance(outgoing, datetime):
                self._announced[pk] = None
                self._wait_until(pk, outgoing)
            else:
                self._backoffs.pop(pk, None)
                task, client = due[pk]
                self._start_sender(task, task.client or client, outgoing)
        # Somebody else writes messages of the others at this moment.
        self._announced |= dict.fromkeys(due.keys() - taken.keys())

    def _start_sender(self, task: ConnectionTask, client: ClientHandle, outgoing: Outgoing) -> None:
        def end(_: object) -> None:
            self._senders.pop(task.id, None)
            self._in_flight.discard(outgoing.message_id)
            if outgoing.others_wait and task.id not in self._backoffs:
                self._announced.setdefault(task.id)
            if task.id in self._announced:
                self._woken.set()

        self._in_flight.add(outgoing.message_id)
        sending = asyncio.create_task(
            self._send_taken(client, task.store_name, outgoing), name=f"send {task.id}"
        )
        self._senders[task.id] = sending
        sending.add_done_callback(end)

    async def _send_taken(self, client: ClientHandle, store: str, outgoing: Outgoing) -> None:
        """Send a message that was taken."""
        pk = outgoing.fence.connection_id
        try:
            if not await self._sender.send(client, store, outgoing):
                self._announced.setdefault(pk)  # It may be queued again.
        except Exception:
            # `recover` looks the message up.
            self._recovery_timer.wake()
            logger.exception("a message could not be sent", extra={"organization": pk})
            self._back_off(pk)
            self._woken.set()


async def _finish_until(deadline: float, tasks: Collection[asyncio.Task[Any]]) -> None:
    """Wait for tasks up to a time, then cancel them."""
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=max(0.0, deadline - loop_time()))
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
