"""A WhatsApp client in a host process, as the supervisor sees it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connections.worker.host_handle import Host

logger = logging.getLogger(__name__)

Event = dict[str, Any]

CLOSE_SECONDS = 6.0
# How long the other clients of a host have to move out, before it is ended all the same.
EVICT_SECONDS = 20.0
# They say nothing about whether the client is connected.
QUIET_EVENTS = frozenset(
    (
        *("reached", "codes", "code", "phone_code", "phone_code_failed", "passkey", "accepted"),
        *("authenticated", "relink_failed", "logout_done", "move"),
    )
)


class Link:
    """One WhatsApp client in a host."""

    def __init__(self, host: Host, ref: int, database: str) -> None:
        self.host = host
        self.database = database
        self.ref = ref
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self.connected = False
        self._downs = 0  # looks in a row that found it down though it never said so
        self._lost = False  # and not logged in again since
        self._over = False  # no event follows any more
        self._closed = False
        self._tests: dict[int, asyncio.Future[Event]] = {}

    async def next(self, seconds: float | None = None) -> Event:
        """The next event; past the last one always "host_gone". Raises TimeoutError."""
        if self._over and self._events.empty():
            return {"event": "host_gone", "error": ""}
        async with asyncio.timeout(seconds):
            return await self._events.get()

    def heard(self, event: Event) -> None:
        """Something happened to the client."""
        if event["event"] == "test_done":
            return self._test_done(event)
        if event["event"] == "down":
            # The library says nothing when it fails to come back by itself, after a 515 for one.
            self._downs += 1
            if not self.connected or self._downs < 2:
                return
            event = {"event": "lost"}
        self._downs = 0
        if event["event"] == "lost":
            self._lost = True
        elif event["event"] == "authenticated":
            self._lost = False
        elif event["event"] == "connected" and self._lost:
            return  # The library says so of a login whose connection is gone by now, too.
        if event["event"] in ("ended", "host_gone"):
            self._over = True
            for test in list(self._tests):
                self._test_done({"test": test, "id": "", "error": "lost"})
        if event["event"] in ("connected", "restored"):
            self.connected = True
        elif event["event"] not in QUIET_EVENTS:
            self.connected = False
        self._events.put_nowait(event)

    def pair_phone(self, number: str) -> None:
        """Ask for a code to type on the phone with this number (digits)."""
        self.host.send({"do": "pair_phone", "ref": self.ref, "number": number})

    def allow_relink(self) -> None:
        """Let the library reconnect this client by itself when it is lost, once."""
        self.host.send({"do": "allow_relink", "ref": self.ref})

    def move(self) -> None:
        """Tell whoever holds it to open it anew, in another host."""
        self.heard({"event": "move"})

    async def logout(self, seconds: float) -> str:
        """Unlink at WhatsApp within `seconds`. Returns "" or what went wrong."""
        self.host.send({"do": "logout", "ref": self.ref})
        try:
            async with asyncio.timeout(seconds):
                while True:
                    event = await self.next()
                    if event["event"] == "logout_done":
                        return str(event["error"])
                    if event["event"] in ("ended", "host_gone"):
                        return "the connection ended before WhatsApp answered"
        except TimeoutError:
            return "WhatsApp did not answer in time"

    async def send_test(self, test: int, text: str, seconds: float) -> tuple[str, str]:
        """Send a text to the linked number itself, within `seconds`.

        Returns the message's id and "", or "" and why not: "timed out", "lost" or "refused".
        """
        if self._over or self._closed:
            return "", "lost"
        answer = self._tests[test] = asyncio.get_running_loop().create_future()
        self.host.send({"do": "send_test", "ref": self.ref, "test": test, "text": text})
        try:
            async with asyncio.timeout(seconds):
                done = await answer
        except TimeoutError:
            return "", "timed out"
        finally:
            self._tests.pop(test, None)
        return str(done["id"]), str(done["error"])

    def _test_done(self, event: Event) -> None:
        """An answer to `send_test`; one that comes too late interests no one."""
        answer = self._tests.get(event["test"])
        if answer is not None and not answer.done():
            answer.set_result(event)

    async def close(self) -> None:
        """Close the socket, keeping the credentials.

        A client that does not end takes its host with it, as soon as the others have moved out:
        opened anew elsewhere, it would fight with itself.
        """
        if self._closed:
            return
        self._closed = True
        if not self.connected and not self._over:
            self.host.abandoned.add(self.database)
        self.host.send({"do": "close", "ref": self.ref})
        try:
            if await self._has_ended(CLOSE_SECONDS):
                return
            self.host.spoiled = True
            deadline = asyncio.get_running_loop().time() + EVICT_SECONDS
            while self.host.sessions > 1 and asyncio.get_running_loop().time() < deadline:
                if await self._has_ended(0.5):
                    return
            logger.warning("a client did not end, so its host is", extra={"host": self.host.pid})
            self.host.kill("a client in it did not end")
        finally:
            self.host.forget(self.ref)

    async def _has_ended(self, seconds: float) -> bool:
        """Whether the client is over within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while not self._over:
                    await self.next()
        except TimeoutError:
            return False
        return True
