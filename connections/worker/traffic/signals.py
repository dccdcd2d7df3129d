"""Tells WhatsApp of read marks and of typing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import groupby

from connections.worker.hosts.client import ClientHandle
from connections.worker.message_port import ReadMark
from connections.worker.polling import PollTimer
from connections.worker.tasks.context import loop_time
from connections.worker.traffic.backoff import Backoff
from connections.worker.traffic.connection_tasks import ConnectionTasks
from connections.worker.traffic.context import TrafficContext

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
# The library asks WhatsApp for the account's settings first, and gives up by itself after 75 s.
MARK_SECONDS = 90.0
# The backoff of a connection whose marks WhatsApp did not take, twice as long each time.
FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 5.0, 60.0
# How often it is told of marks that it does not take, before they are given up.
MAX_TRIES = 20
# Errors of a client that is about to lose its connection; they say nothing about the marks.
AWAY = frozenset({"not_connected", "lost", "stopped"})


class Signals:
    """Passes on read marks, which are stored, and typing, which is not.

    Marks stay pending until WhatsApp has taken them. Each connection is told by a task of its own.
    """

    def __init__(self, context: TrafficContext) -> None:
        self._context = context
        self._timer = PollTimer(LOOK_SECONDS)
        # Others may wait behind the marks that a task tells.
        self._tellers = ConnectionTasks("tell what was read", self._timer.wake)
        self._backoffs: dict[int, Backoff] = {}
        # How often WhatsApp did not take a connection's marks, in a row.
        self._tries: dict[int, int] = {}

    def wake(self) -> None:
        """Look for read marks soon."""
        self._timer.wake()

    async def run(self) -> None:
        """Pass on the read marks that wait, until cancelled."""
        try:
            while True:
                await self._timer.wait(await self._look())
        finally:
            await self._tellers.cancel()

    async def _look(self) -> float | None:
        """Start to tell of the marks that wait. Return the seconds until a backoff ends."""
        context, now = self._context, loop_time()
        waiting = {pk: each.until for pk, each in self._backoffs.items() if each.until > now}
        busy = self._tellers.busy | waiting.keys()
        clients = {pk: found for pk, found in context.connected_clients().items() if pk not in busy}
        if clients and context.lease_held():
            marks = await context.db(context.port.pending_marks, list(clients))
            marks = sorted(marks, key=ReadMark.group_key)
            for pk, found in groupby(marks, lambda mark: mark.connection_id):
                self._tellers.start(pk, self._tell(pk, clients[pk], list(found)))
        return min(waiting.values()) - now if waiting else None

    async def _tell(self, pk: int, client: ClientHandle, marks: Sequence[ReadMark]) -> None:
        """Tell WhatsApp of a connection's marks, which are in the order of their groups."""
        told: list[ReadMark] = []
        failed: list[ReadMark] = []
        error = ""
        for _, found in groupby(marks, ReadMark.group_key):
            group = list(found)
            first, ids = group[0], [mark.whatsapp_id for mark in group]
            answer = await client.mark_read(
                ids, first.chat, first.sender, first.played, MARK_SECONDS
            )
            (failed if answer else told).extend(group)
            error = answer or error
            if answer and answer != "failed":
                break  # The others would not pass either.
        try:
            await self._record(pk, told, failed, error)
        except Exception:
            logger.exception("read marks could not be recorded", extra={"organization": pk})
            self._back_off(pk, tries=0)

    async def _record(
        self, pk: int, told: Sequence[ReadMark], failed: Sequence[ReadMark], error: str
    ) -> None:
        """End the marks that were told. Back off after a failure, or give up."""
        context = self._context
        tries = self._tries.get(pk, 0) + (error not in AWAY)
        given_up = failed if tries >= MAX_TRIES else ()
        if ended := [*told, *given_up]:
            await context.db(context.port.end_marks, ended)
        if given_up:
            about = {"organization": pk, "count": len(given_up), "why": error}
            logger.warning("WhatsApp does not take read marks", extra=about)
        if error and not given_up:
            self._back_off(pk, tries)
        else:
            self._backoffs.pop(pk, None)
            self._tries.pop(pk, None)

    def _back_off(self, pk: int, tries: int) -> None:
        """Leave a connection alone for a while, longer each time."""
        self._backoffs[pk] = Backoff.after(
            self._backoffs.get(pk), FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS
        )
        self._tries[pk] = tries

    async def show_typing(self, connection_id: int, contact_id: int, typing: bool) -> None:
        """Show a contact that the organization types, if it is connected here."""
        context = self._context
        client = context.connected_clients().get(connection_id)
        if client is not None:
            chat = await context.db(context.port.chat_of, connection_id, contact_id)
            if chat:
                client.typing(chat, typing)
