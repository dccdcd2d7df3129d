"""Tells WhatsApp of read marks and of typing."""

from __future__ import annotations

from itertools import groupby

from connections.worker.message_port import ReadMark
from connections.worker.polling import PollTimer
from connections.worker.traffic.context import TrafficContext

LOOK_SECONDS = 1.0


class Signals:
    """Passes on read marks, which are stored, and typing, which is not."""

    def __init__(self, context: TrafficContext) -> None:
        self._context = context
        self._timer = PollTimer(LOOK_SECONDS)

    def wake(self) -> None:
        """Look for read marks soon."""
        self._timer.wake()

    async def run_round(self) -> None:
        """Pass on the read marks that wait, and sleep."""
        context = self._context
        clients = context.connected_clients()
        marks = []
        if clients and context.lease_held():
            marks = await context.db(context.port.pending_marks, list(clients))
            for _, found in groupby(marks, ReadMark.group_key):
                group = list(found)
                first, ids = group[0], [mark.whatsapp_id for mark in group]
                client = clients[first.connection_id]
                client.mark_read(ids, first.chat, first.sender, first.played)
            if marks:
                await context.db(context.port.end_marks, marks)
        await self._timer.wait(0.0 if marks else None)

    async def show_typing(self, connection_id: int, contact_id: int, typing: bool) -> None:
        """Show a contact that the organization types, if it is connected here."""
        context = self._context
        client = context.connected_clients().get(connection_id)
        if client is not None:
            chat = await context.db(context.port.chat_of, connection_id, contact_id)
            if chat:
                client.typing(chat, typing)
