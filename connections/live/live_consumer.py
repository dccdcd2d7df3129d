"""The base class of all WebSocket consumers: send what is, and again whenever it changed."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.utils import translation

from connections.broadcast import leave_group
from organizations.access import Caller
from organizations.sockets.authentication import CloseCode, SocketIdentity, language_of

logger = logging.getLogger(__name__)

# The longest time until a lost right closes the socket when nothing else happens.
ACCESS_CHECK_SECONDS = 3.0
# The least time between two reads: a flood of changes or questions costs no more than this.
MIN_SEND_INTERVAL = 0.05
# The longest time until a change without a notification shows: a dead worker, a lost message.
RECHECK_SECONDS = 15.0

Message = dict[str, Any]

PONG = json.dumps({"type": "pong"})


class AccessEnded(Exception):
    """The caller may read no more. `code`: why, as the socket's close code."""

    def __init__(self, code: CloseCode) -> None:
        super().__init__(code)
        self.code = code


def _is_ping(text: str | None) -> bool:
    try:
        message = json.loads(text or "")
    except (ValueError, RecursionError):
        return False
    return isinstance(message, dict) and message.get("type") == "ping"


class LiveConsumer(AsyncWebsocketConsumer):
    """Sends the current state, and again after each change. A client's message asks for all of it.

    One task reads and sends; notifications are only collected meanwhile. There is never more than
    one read under way, however fast the changes and however slow the client. A socket can stay open
    for days, so the caller and their rights are checked before each read.
    """

    async def connect(self) -> None:
        scope: Any = self.scope
        self.identity: SocketIdentity = scope["identity"]
        self.language = language_of(scope)
        self.joined = self.groups_to_join()
        self.requested = True
        self.pinged = False
        self.changed: set[int] = set()
        self.wakeup = asyncio.Event()
        await self.accept()
        self.sender = asyncio.create_task(self._send_until_closed())

    async def disconnect(self, code: int) -> None:
        self.sender.cancel()
        with suppress(asyncio.CancelledError):
            await self.sender
        for group in self.joined:
            await leave_group(self.channel_layer, group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Send everything again, or answer a ping: clients ask now and then whether all is well.

        A ping is answered by the next check of the caller's rights, and causes no other one.
        """
        if _is_ping(text_data):
            self.pinged = True
        else:
            self.requested = True
            self.wakeup.set()

    async def connection_changed(self, message: Message) -> None:
        self.changed.add(message["connection"])
        self.wakeup.set()

    async def _send_until_closed(self) -> None:
        try:
            await self._send_loop()
        except AccessEnded as ended:
            # Stop the notifications, and give the client the reason in the close code.
            for group in self.joined:
                await self.channel_layer.group_discard(group, self.channel_name)
            await self.close(int(ended.code))
        except Exception:
            logger.exception("a socket failed")
            await self.close(int(CloseCode.INTERNAL_ERROR))

    async def _send_loop(self) -> None:
        clock = asyncio.get_running_loop().time
        rechecked_at = clock() - RECHECK_SECONDS
        while True:
            recheck = clock() - rechecked_at >= RECHECK_SECONDS
            if recheck:
                # Join before the read, or a change in between is missed. Join again and again: a
                # membership expires after a day, and a channel layer can be restarted.
                for group in self.joined:
                    await self.channel_layer.group_add(group, self.channel_name)
                rechecked_at = clock()
            self.wakeup.clear()
            requested, self.requested = self.requested, False
            changed, self.changed = self.changed, set()
            pinged, self.pinged = self.pinged, False
            for text in await database_sync_to_async(self._read)(requested, changed, recheck):
                await self.send(text_data=text)
            if pinged:
                await self.send(text_data=PONG)
            await asyncio.sleep(MIN_SEND_INTERVAL)
            with suppress(TimeoutError):
                async with asyncio.timeout(ACCESS_CHECK_SECONDS):
                    await self.wakeup.wait()

    def _read(self, requested: bool, changed: set[int], recheck: bool) -> list[str]:
        caller = self.identity.caller()
        if caller is None:
            raise AccessEnded(CloseCode.UNAUTHENTICATED)
        with translation.override(self.language):
            messages = self.messages(caller, requested, changed, recheck)
            return [json.dumps(message) for message in messages]

    def groups_to_join(self) -> tuple[str, ...]:
        """Return the groups whose notifications this consumer gets."""
        raise NotImplementedError

    def messages(
        self, caller: Caller, requested: bool, changed: set[int], recheck: bool
    ) -> list[Message]:
        """Return the messages to send now. Raises AccessEnded.

        `requested`: the client wants everything. `changed`: the connections that notified.
        `recheck`: it is time to look for changes without a notification.
        """
        raise NotImplementedError
