"""Sends the messages that wait: one at a time for each connection, many connections at once."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, replace

from django.conf import settings
from django.utils import timezone

from connections.actions import Superseded
from connections.stores import StoreDamaged, StoreUnavailable, StoreUnusable
from connections.worker.hosts.client import ClientHandle
from connections.worker.message_port import Interrupted, Outgoing, SendOutcome
from connections.worker.tasks.connection_task import ConnectionTask
from connections.worker.tasks.context import loop_time
from connections.worker.traffic.context import TrafficContext
from connections.worker.traffic.media import MediaGone, plain_file
from connections.worker.traffic.previews import LinkPreviews

logger = logging.getLogger(__name__)

# The shortest and the longest pause between two looks at the outboxes.
MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.05, 1.0
# How long an outbox rests whose messages may not leave for now, because of a limit for instance.
FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 1.0, 15.0
RESOLVE_SECONDS = 20.0
RECOVER_SECONDS = 5.0
# The library gives up by itself after 75 s; a host that does not answer at all is killed earlier.
LIBRARY_SECONDS = 90.0
MAX_CONCURRENT = 200
# How long a stop waits for WhatsApp to accept what is being sent.
FINISH_SECONDS = 1.5


class OutgoingTraffic:
    """Sends what waits in the outboxes of this worker's connections."""

    def __init__(self, context: TrafficContext) -> None:
        self._context = context
        self._woken = asyncio.Event()
        self._resting: dict[int, Rest] = {}
        self._senders: dict[int, asyncio.Task[None]] = {}
        self._in_flight: set[int] = set()
        self._previews = LinkPreviews()

    def wake(self, connection_id: int) -> None:
        """Look at an outbox soon."""
        self._resting.pop(connection_id, None)
        self._woken.set()

    async def run(self) -> None:
        """Send what waits, until cancelled."""
        try:
            while True:
                self._woken.clear()
                pause = await self._start_senders()
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(MIN_PAUSE_SECONDS, pause)):
                        await self._woken.wait()
        finally:
            await self._finish()

    async def _finish(self) -> None:
        """Let the senders finish for a moment; the next worker looks up what they were sending."""
        senders = list(self._senders.values())
        if senders:
            _, late = await asyncio.wait(senders, timeout=FINISH_SECONDS)
            for sender in late:
                sender.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def recover(self) -> None:
        """Look up the messages whose sending nobody follows any more, every few seconds."""
        context = self._context
        await asyncio.sleep(RECOVER_SECONDS)
        if not context.lease_held():
            return
        worker = context.get_worker().pk
        left = await context.db(context.port.interrupted, worker, frozenset(self._in_flight))
        for message in left:
            await self._recover(message)

    async def _recover(self, message: Interrupted) -> None:
        if message.message_id in self._in_flight:
            return
        context = self._context
        try:
            found = await self._find_id(message.connection_id, message.store, message.secret)
        except StoreUnavailable:
            return  # The next look finds the same message again.
        except (StoreDamaged, StoreUnusable):
            # Nobody can tell any more whether it left.
            logger.exception(
                "a store cannot be read", extra={"organization": message.connection_id}
            )
            found = None
        await context.db(context.port.record_interrupted, message, found)

    async def _find_id(self, connection_id: int, store: str, secret: bytes) -> str | None:
        """Return WhatsApp's id of a message, "" if the library never got to sending it.

        None when nobody can tell, as the device is gone.
        """
        stores = self._context.stores
        return await self._context.to_thread(stores.sent_message_id, connection_id, store, secret)

    async def _find_id_of(self, outgoing: Outgoing, store: str) -> str | None:
        """Return WhatsApp's id of a message that is being sent. See `_find_id`."""
        secret = bytes.fromhex(outgoing.content["secret"])
        return await self._find_id(outgoing.fence.connection_id, store, secret)

    async def _start_senders(self) -> float:
        """Start a sender for each connection that may send now. Return the seconds until the next.

        A sender that ends, and a new message, wake the loop earlier.
        """
        context, now = self._context, loop_time()
        if not context.lease_held():
            return MAX_PAUSE_SECONDS
        tasks, connected = context.tasks(), context.connected_clients()
        idle = {
            pk: tasks[pk]
            for pk in connected
            if pk not in self._senders
            and (pk not in self._resting or self._resting[pk].until <= now)
        }
        if not idle:
            return MAX_PAUSE_SECONDS
        waiting = await context.db(context.port.with_outgoing, list(idle))
        pause = MAX_PAUSE_SECONDS
        for pk, at in waiting.items():
            seconds = (at - timezone.now()).total_seconds()
            if seconds > 0:
                pause = min(pause, seconds)
            elif len(self._senders) < MAX_CONCURRENT:
                self._start_sender(pk, idle[pk])
        return pause

    def _start_sender(self, pk: int, task: ConnectionTask) -> None:
        def end(_: object) -> None:
            self._senders.pop(pk, None)
            self._woken.set()

        self._senders[pk] = asyncio.create_task(self._send_next(task), name=f"send {pk}")
        self._senders[pk].add_done_callback(end)

    async def _send_next(self, task: ConnectionTask) -> None:
        """Send the next message of a connection, if one is due."""
        try:
            if await self._take_and_send(task):
                self._resting.pop(task.id, None)
            else:
                self._resting[task.id] = Rest.after(self._resting.get(task.id))
        except Superseded:
            logger.info("another worker sends now", extra={"organization": task.id})
        except Exception:
            # `recover` looks the message up.
            logger.exception("a message could not be sent", extra={"organization": task.id})
            self._resting[task.id] = Rest.after(self._resting.get(task.id))

    async def _take_and_send(self, task: ConnectionTask) -> bool:
        """Send the next message. Return whether there was one that may leave."""
        context, client = self._context, task.client
        if client is None:
            return False
        outgoing = await context.db(context.port.take_outgoing, task.fence)
        if outgoing is None:
            return False
        message_id = outgoing.message_id
        self._in_flight.add(message_id)
        try:
            resolved = await self._resolve(client, outgoing) if outgoing.resolve else outgoing
            if resolved is not None:
                shown = await self._previews.add(resolved)
                await self._send(client, task.store_name, shown)
        finally:
            self._in_flight.discard(message_id)
        return True

    async def _resolve(self, client: ClientHandle, outgoing: Outgoing) -> Outgoing | None:
        """Ask WhatsApp about the number first. Return what to send, None for nothing."""
        context, answer = self._context, await client.resolve([outgoing.resolve], RESOLVE_SECONDS)
        found = answer.found.get(outgoing.resolve)
        return await context.db(context.port.record_resolved, outgoing, found, answer.error)

    async def _send(self, client: ClientHandle, store: str, outgoing: Outgoing) -> None:
        """Send a message and record its outcome: unknown at our deadline, and what comes later."""
        record = self._context.port.record_outcome
        sending = asyncio.create_task(self._call_library(client, store, outgoing))
        try:
            done, _ = await asyncio.wait([sending], timeout=settings.SEND_TIMEOUT_SECONDS)
            if not done:
                whatsapp_id = await self._find_id_of(outgoing, store)
                late = SendOutcome(outgoing.message_id, outgoing.fence, whatsapp_id or "")
                late = replace(late, final=False, error="timed_out", maybe_sent=True)
                await self._context.db(record, late)
            await self._context.db(record, await sending)
        finally:
            sending.cancel()

    async def _call_library(
        self, client: ClientHandle, store: str, outgoing: Outgoing
    ) -> SendOutcome:
        """Hand a message to the library, and return its outcome."""
        outcome = SendOutcome(outgoing.message_id, outgoing.fence)
        try:
            async with plain_file(self._context, outgoing) as content:
                sent = await client.send(content, LIBRARY_SECONDS)
        except MediaGone:
            return replace(outcome, error="media_gone")
        outcome = replace(outcome, error=sent.error, code=sent.code, maybe_sent=sent.maybe_sent)
        if not sent.maybe_sent:
            return replace(outcome, whatsapp_id=sent.id, at=sent.at)
        found = await self._find_id_of(outgoing, store)
        # Without a row of a client that has ended, the library never got to sending it.
        never = client.ended and found == ""
        return replace(outcome, whatsapp_id=found or "", maybe_sent=not never)


@dataclass(frozen=True)
class Rest:
    """A rest of an outbox from which nothing may leave for now."""

    until: float
    seconds: float

    @classmethod
    def after(cls, earlier: Rest | None) -> Rest:
        """Return the next rest, twice as long as the one before."""
        doubled = min(2 * earlier.seconds, LONGEST_REST_SECONDS) if earlier else FIRST_REST_SECONDS
        return cls(loop_time() + doubled, doubled)
