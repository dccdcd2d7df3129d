"""What all sockets do: join, tell what is, and tell it again whenever something changed."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.utils import translation

from connections.broadcast import leave
from organizations.access import Caller
from organizations.sockets.authentication import CloseCode, SocketIdentity, language_of

logger = logging.getLogger(__name__)

# How late a lost right is noticed when nothing else happens.
CHECK_SECONDS = 3.0
# The least time between two answers: a flood of changes or questions costs no more than this.
MIN_SEND_INTERVAL = 0.05
# How late a change is noticed that nobody told of: a worker that died, a lost message.
LOOK_SECONDS = 15.0

Message = dict[str, Any]


class Ended(Exception):
    """This identity may hear no more; the code says why."""

    def __init__(self, code: CloseCode) -> None:
        super().__init__(code)
        self.code = code


class LiveConsumer(AsyncWebsocketConsumer):
    """A socket that tells. It never writes and takes no commands: what a client says is a question.

    One task reads and sends. What happens meanwhile is only remembered, so there is never more than
    one answer under way, however fast the changes and however slow the reader. A socket can stay
    open for days, so who listens and what they may see is asked again before each answer.
    """

    async def connect(self) -> None:
        scope: Any = self.scope
        self.identity: SocketIdentity = scope["identity"]
        self.language = language_of(scope)
        self.group = self.watched()
        self.asked = True
        self.changed: set[int] = set()
        self.woken = asyncio.Event()
        await self.accept()
        self.telling = asyncio.create_task(self._tell())

    async def disconnect(self, code: int) -> None:
        self.telling.cancel()
        with suppress(asyncio.CancelledError):
            await self.telling
        await leave(self.channel_layer, self.group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Clients ask again now and then, so that a dead socket or worker is noticed."""
        self.asked = True
        self.woken.set()

    async def connection_changed(self, message: Message) -> None:
        self.changed.add(message["connection"])
        self.woken.set()

    async def _tell(self) -> None:
        try:
            await self._tell_until_ended()
        except Ended as ended:
            # Hear of no more changes, and tell the client why by the close code.
            await self.channel_layer.group_discard(self.group, self.channel_name)
            await self.close(int(ended.code))
        except Exception:
            logger.exception("a socket broke")
            await self.close(int(CloseCode.INTERNAL_ERROR))

    async def _tell_until_ended(self) -> None:
        clock = asyncio.get_running_loop().time
        looked = clock() - LOOK_SECONDS
        while True:
            look = clock() - looked >= LOOK_SECONDS
            if look:
                # Join, then read: a change in between would be missed otherwise. A membership
                # expires after a day, and a channel layer can be restarted: so, again and again.
                await self.channel_layer.group_add(self.group, self.channel_name)
                looked = clock()
            self.woken.clear()
            asked, self.asked = self.asked, False
            changed, self.changed = self.changed, set()
            for message in await database_sync_to_async(self._read)(asked, changed, look):
                await self.send(text_data=message)
            await asyncio.sleep(MIN_SEND_INTERVAL)
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS):
                    await self.woken.wait()

    def _read(self, asked: bool, changed: set[int], look: bool) -> list[str]:
        caller = self.identity.caller()
        if caller is None:
            raise Ended(CloseCode.UNAUTHENTICATED)
        with translation.override(self.language):
            return [json.dumps(message) for message in self.messages(caller, asked, changed, look)]

    def watched(self) -> str:
        """The group to hear from."""
        raise NotImplementedError

    def messages(self, caller: Caller, asked: bool, changed: set[int], look: bool) -> list[Message]:
        """What is to be told now. Raises Ended."""
        raise NotImplementedError
