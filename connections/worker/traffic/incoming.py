"""Moves what WhatsApp brought from the spools of this machine into the database."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from connections.database_outages import DATABASE_UNAVAILABLE
from connections.outages import delays
from connections.worker import spools
from connections.worker.gathering import Gatherer
from connections.worker.hosts.client import ClientHandle
from connections.worker.message_port import Record
from connections.worker.polling import PollTimer
from connections.worker.traffic.context import TrafficContext
from connections.worker.traffic.phone_signs import PhoneSigns

logger = logging.getLogger(__name__)

# Stored lines are dropped when no more have come for so long, or when they are many.
TRIM_SECONDS, TRIM_BYTES = 0.5, 1024 * 1024
FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.2, 5.0
DRAIN_POLL_SECONDS = 0.05
# So many organizations' lines are stored in one transaction.
ORGANIZATIONS_AT_ONCE = 20
# The pause between two looks for spools without a client.
LEFTOVER_SECONDS = 5.0


@dataclass
class Reader:
    """Where a living client's spool has been read up to."""

    connection_id: int
    client: ClientHandle
    path: Path
    offset: int = 0
    busy: bool = False

    @property
    def drained(self) -> bool:
        """Whether all lines that the host has announced are stored, and none waits for the disk."""
        waits = self.client.spooled.is_set() or self.client.spool_blocked
        return not self.busy and not waits


class IncomingTraffic:
    """Reads the spools of living clients as they grow, and those that are left over.

    `on_stored`: called when something was stored.
    """

    def __init__(
        self, context: TrafficContext, on_stored: Callable[[], None] = lambda: None
    ) -> None:
        self._context = context
        self._gatherer = Gatherer(
            context.incoming_db, context.port.store_incoming, ORGANIZATIONS_AT_ONCE
        )
        self._phone_signs = PhoneSigns(context)
        self._readers: dict[Path, Reader] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_stored = on_stored
        self._leftover_timer = PollTimer(LEFTOVER_SECONDS)
        self._look_again = True

    def follow(self, connection_id: int, client: ClientHandle, path: Path) -> None:
        """Read a new client's spool as it grows, until the client has ended or was left."""
        reader = self._readers[path] = Reader(connection_id, client, path)
        task = asyncio.create_task(self._follow(reader), name=f"spool {connection_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._wake_leftovers()  # The client of its pairing may have left a spool.

    def _wake_leftovers(self) -> None:
        """Look for leftovers soon, and once more: a host that ends may still lock its spools."""
        self._look_again = True
        self._leftover_timer.wake()

    def is_drained(self, connection_id: int) -> bool:
        """Return whether all announced lines of a connection's spools are stored.

        A spool that was left over by an ended client counts, too.
        """
        readers = [
            found for found in self._readers.values() if found.connection_id == connection_id
        ]
        followed = {reader.path for reader in readers}
        return all(reader.drained for reader in readers) and followed >= spools.of(connection_id)

    async def close(self) -> None:
        """Stop to follow; what is not stored yet is left in the spools."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _follow(self, reader: Reader) -> None:
        waits = delays(FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS)
        try:
            while not reader.client.left:
                try:
                    await self._read_and_trim(reader)
                    waits = delays(FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS)
                except (OSError, TimeoutError) as error:
                    logger.warning(
                        "a spool could not be read",
                        extra={"organization": reader.connection_id, "why": type(error).__name__},
                    )
                    await asyncio.sleep(next(waits))
                    reader.client.spooled.set()
        finally:
            # The rest is read as a leftover, once the host has given its lock back.
            del self._readers[reader.path]
            self._wake_leftovers()

    async def _read_and_trim(self, reader: Reader) -> None:
        """Wait for lines, store them, and let the host drop them once no more have come."""
        await reader.client.spooled.wait()
        while True:
            reader.client.spooled.clear()
            reader.busy = True
            try:
                reader.offset = await self._store_from(
                    reader.connection_id, reader.path, reader.offset
                )
            finally:
                reader.busy = False
            try:
                # Dropping the lines costs a round trip, so it waits for a pause.
                async with asyncio.timeout(TRIM_SECONDS):
                    await reader.client.spooled.wait()
            except TimeoutError:
                break
            if reader.client.left or reader.offset > TRIM_BYTES:
                break
        if reader.offset and not reader.client.left:
            reader.offset -= await reader.client.trim_spool(reader.offset)

    async def _store_from(self, connection_id: int, path: Path, offset: int) -> int:
        """Store a spool's lines from an offset on. Return the offset behind the last one."""
        while True:
            batch = await self._context.to_thread(spools.read, path, offset)
            if batch.end == offset:
                return offset
            await self._store(connection_id, batch.lines)
            offset = batch.end

    async def _store(self, connection_id: int, lines: Sequence[Record]) -> None:
        """Store records; put aside those that the database refuses, so that they hold up nobody."""
        if not await self._is_stored(connection_id, lines):
            for line in lines:
                if not await self._is_stored(connection_id, [line]):
                    await self._context.to_thread(spools.put_aside, connection_id, json.dumps(line))
        self._on_stored()
        await self._phone_signs.record(connection_id, lines)

    async def _is_stored(self, connection_id: int, lines: Sequence[Record]) -> bool:
        """Store records. Return False if the database refuses one of them."""
        try:
            await self._gatherer.store((connection_id, lines))
        except DATABASE_UNAVAILABLE:
            raise
        except Exception as error:
            # Not its text: a database quotes the values that it refuses.
            logger.error(
                "records could not be stored",
                extra={
                    "organization": connection_id,
                    "records": len(lines),
                    "why": type(error).__name__,
                },
            )
            return False
        return True

    async def read_leftovers(self) -> None:
        """Read and remove the spools whose clients have ended, and sleep."""
        again, self._look_again = self._look_again, False
        await self.drain_leftovers()
        await self._context.to_thread(spools.remove_old_pairings)
        await self._leftover_timer.wait(0.0 if again else None)

    async def drain_ended(self, connection_id: int) -> None:
        """Wait until all that a connection's clients have left is stored; they have ended."""
        await self.drain_leftovers(connection_id)
        while not self.is_drained(connection_id):
            await asyncio.sleep(DRAIN_POLL_SECONDS)
            await self.drain_leftovers(connection_id)

    async def drain_leftovers(self, connection_id: int | None = None) -> None:
        """Read and remove the spools whose clients have ended, of one connection or of all."""
        context = self._context
        for found in await context.to_thread(lambda: list(spools.leftovers(connection_id))):
            if found.path not in self._readers:
                await self._store_from(found.connection_id, found.path, 0)
                await context.to_thread(spools.remove, found.path)
