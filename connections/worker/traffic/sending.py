"""Sends one message through the library, and stores its outcome."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from django.conf import settings

from connections.worker.gathering import Gatherer
from connections.worker.hosts.client import ClientHandle
from connections.worker.message_port import Outgoing, SendOutcome
from connections.worker.traffic.context import TrafficContext
from connections.worker.traffic.media import OutgoingMediaGone, plain_file
from connections.worker.traffic.previews import LinkPreviews

logger = logging.getLogger(__name__)

RESOLVE_SECONDS = 20.0
# The library gives up by itself 75 s after each of its few questions, but never an upload that a
# media server stops to read. Enough for 16 MB at 10 kB/s.
STALLED_SECONDS = 1800.0
# How many outcomes are stored in one transaction.
OUTCOMES_AT_ONCE = 50


class Sender:
    """Sends the messages of all connections of a worker, each by a call of its own."""

    def __init__(self, context: TrafficContext) -> None:
        self._context = context
        self._outcomes = Gatherer(context.db, context.port.record_outcomes, OUTCOMES_AT_ONCE)
        self._previews = LinkPreviews()

    async def send(self, client: ClientHandle, store: str, outgoing: Outgoing) -> bool:
        """Send a message that was taken, once its number is known at WhatsApp.

        `store`: the client's. Return False if it failed, and perhaps is queued again.
        """
        resolved = await self._resolve(client, outgoing) if outgoing.resolve else outgoing
        if resolved is None:
            return False
        return await self._send(client, store, await self._previews.add(resolved))

    async def find_id(self, connection_id: int, store: str, secret: bytes) -> str | None:
        """Return WhatsApp's id of a message, "" if the library never got to sending it.

        None when nobody can tell, as the device is gone.
        """
        stores = self._context.stores
        return await self._context.to_thread(stores.sent_message_id, connection_id, store, secret)

    async def _find_id_of(self, outgoing: Outgoing, store: str) -> str | None:
        """Return WhatsApp's id of a message that is being sent. See `find_id`."""
        secret = bytes.fromhex(outgoing.content["secret"])
        return await self.find_id(outgoing.fence.connection_id, store, secret)

    async def _resolve(self, client: ClientHandle, outgoing: Outgoing) -> Outgoing | None:
        """Ask WhatsApp about the number first. Return what to send, None for nothing."""
        context, answer = self._context, await client.resolve([outgoing.resolve], RESOLVE_SECONDS)
        found = answer.found.get(outgoing.resolve)
        return await context.db(context.port.record_resolved, outgoing, found, answer.error)

    async def _send(self, client: ClientHandle, store: str, outgoing: Outgoing) -> bool:
        """Send a message and record its outcome: unknown at our deadline, and what comes later.

        Return whether it was sent, as far as anybody knows.
        The deadline begins after the upload of its file. The next message is taken when the call
        has ended: with the library's answer or with the client, which is ended if the call stalls.
        """
        uploaded = asyncio.Event()
        sending = asyncio.create_task(self._call_library(client, store, outgoing, uploaded.set))
        sending.add_done_callback(lambda _: uploaded.set())
        stalled = asyncio.get_running_loop().call_later(
            STALLED_SECONDS, _end_stalled, client, outgoing.fence.connection_id
        )
        try:
            if outgoing.media:
                await uploaded.wait()
            done, _ = await asyncio.wait([sending], timeout=settings.SEND_TIMEOUT_SECONDS)
            if not done:
                whatsapp_id = await self._find_id_of(outgoing, store)
                late = SendOutcome(outgoing.message_id, outgoing.fence, whatsapp_id or "")
                late = replace(late, final=False, error="timed_out", maybe_sent=True)
                await self._outcomes.store(late)
            outcome = await sending
            await self._outcomes.store(outcome)
            return not outcome.error
        finally:
            stalled.cancel()
            sending.cancel()

    async def _call_library(
        self,
        client: ClientHandle,
        store: str,
        outgoing: Outgoing,
        on_uploaded: Callable[[], None],
    ) -> SendOutcome:
        """Hand a message to the library, and return its outcome."""
        outcome = SendOutcome(outgoing.message_id, outgoing.fence)
        try:
            async with plain_file(self._context, outgoing) as content:
                sent = await client.send(content, on_uploaded=on_uploaded)
        except OutgoingMediaGone:
            return replace(outcome, error="media_gone")
        outcome = replace(outcome, error=sent.error, code=sent.code, maybe_sent=sent.maybe_sent)
        if not sent.maybe_sent:
            return replace(outcome, whatsapp_id=sent.id, at=sent.at)
        found = await self._find_id_of(outgoing, store)
        # Without a row of a client that has ended, the library never got to sending it.
        never = client.ended and found == ""
        return replace(outcome, whatsapp_id=found or "", maybe_sent=not never)


def _end_stalled(client: ClientHandle, connection_id: int) -> None:
    """End a client whose call does not end: its task opens it again."""
    logger.warning("a message could not be sent in time", extra={"organization": connection_id})
    client.request_move()
