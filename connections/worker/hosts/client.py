"""The worker's handle of a WhatsApp client in a host process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from connections.worker.hosts.answers import Answers, Downloaded, Resolved, SendResult

logger = logging.getLogger(__name__)

Event = dict[str, Any]

CLOSE_SECONDS = 6.0
# How long the other clients of a host have to move out before it is killed.
MOVE_OUT_SECONDS = 20.0
# The errors of `send_test`; any other is "refused".
TEST_ERRORS = dict.fromkeys(("lost", "not_connected", "stopped"), "lost") | {
    "timed_out": "timed out"
}
# These do not change whether the client is connected.
QUIET_EVENTS = frozenset(
    (
        *("reached", "codes", "code", "phone_code", "phone_code_failed", "passkey", "accepted"),
        *("authenticated", "relink_failed", "logout_done", "move"),
    )
)


class ClientHost(Protocol):
    """The host process of a client (handle.py)."""

    pid: int
    stuck: bool
    orphaned_stores: set[str]

    @property
    def client_count(self) -> int:
        """Return the number of clients in it."""

    @property
    def must_stay(self) -> bool:
        """Return whether its end would cost links that could not come back now."""

    def send(self, command: Mapping[str, Any]) -> None:
        """Send one command."""

    def forget(self, ref: int) -> None:
        """Stop passing events to a client."""

    def kill(self, why: str = "") -> None:
        """Kill the process. `why` goes to its clients as the error."""


class ClientHandle:
    """Sends commands to one WhatsApp client in a host, and queues its events."""

    def __init__(self, host: ClientHost, ref: int, database: str) -> None:
        self.host = host
        self.database = database
        self.ref = ref
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self.connected = False
        self.on_connected: Callable[[], None] = lambda: None  # called at each login
        self._down_reports = 0  # reports in a row that it is down, without an event
        self._lost = False  # the connection was lost, without a login since
        self._ended = False  # no event follows any more
        self._closed = False
        self._forgotten = False  # it may still run, but its events reach nobody
        self._answers = Answers()
        self.spooled = asyncio.Event()  # the client has written to its spool
        self.spool_blocked = False  # a line waits for the disk

    @property
    def ended(self) -> bool:
        """Whether no event follows any more."""
        return self._ended

    @property
    def left(self) -> bool:
        """Whether nothing is heard of it any more: it has ended, or was closed without its end.

        Then it may still run for a while, and write to its spool.
        """
        return self._ended or self._forgotten

    @property
    def holds_link(self) -> bool:
        """Whether it is connected, and is to stay so."""
        return self.connected and not self._closed

    async def next(self, seconds: float | None = None) -> Event:
        """Return the next event; "host_gone" after the last one. Raises TimeoutError."""
        if self._ended and self._events.empty():
            return {"event": "host_gone", "error": ""}
        async with asyncio.timeout(seconds):
            return await self._events.get()

    def receive(self, event: Event) -> None:
        """Queue an event of the client, unless it repeats the known state."""
        if self._answers.receive(event) or self._is_notice(event):
            return
        if event["event"] == "down":
            # The library sends no event when it fails to reconnect, for example after a 515.
            self._down_reports += 1
            if not self.connected or self._down_reports < 2:
                return
            event = {"event": "lost"}
        self._down_reports = 0
        if event["event"] == "lost":
            self._lost = True
        elif event["event"] == "authenticated":
            self._lost = False
        elif event["event"] == "connected" and self._lost:
            return  # The library also sends it for a login whose connection is lost by now.
        if event["event"] in ("ended", "host_gone"):
            self._ended = True
            self._answers.end()
            self.spooled.set()
        if event["event"] in ("connected", "restored"):
            self.connected = True
            self.on_connected()
        elif event["event"] not in QUIET_EVENTS:
            self.connected = False
        self._events.put_nowait(event)

    def pair_phone(self, number: str) -> None:
        """Ask for a code to type on the phone with this number (digits)."""
        self.host.send({"do": "pair_phone", "ref": self.ref, "number": number})

    def allow_relink(self) -> None:
        """Let the library reconnect this client by itself when it is lost, once."""
        self.host.send({"do": "allow_relink", "ref": self.ref})

    def request_move(self) -> None:
        """Queue "move": the task reopens the client in another host."""
        self.receive({"event": "move"})

    async def logout(self, seconds: float) -> str:
        """Unlink at WhatsApp within `seconds`. Return "" or what went wrong."""
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

    # --- Messages --------------------------------------------------------------------------------

    async def send(
        self,
        content: Event,
        seconds: float | None = None,
        on_uploaded: Callable[[], None] = lambda: None,
    ) -> SendResult:
        """Send a message. `content`: see child/host_process.py. An error is in the result.

        Messages of one client leave in the order of the calls. A caller that gave up after
        `seconds` would never learn the id of a message that leaves later. Without them the wait
        ends with the library's call, or with the client: its host answers pings, or is killed.
        `on_uploaded`: called when the message's file is at WhatsApp, or will never be.
        """
        if self._ended or self._closed:
            return SendResult(error="not_connected")
        key = self._answers.new_key()
        command = {"do": "send", "send": key, "content": content}
        uploaded = self._answers.expect("uploaded", key)
        uploaded.add_done_callback(lambda _: on_uploaded())
        try:
            answer = await self._ask(command, "send_done", key, seconds)
        except TimeoutError:
            return SendResult(error="timed_out", maybe_sent=True)
        finally:
            uploaded.cancel()
        if not answer:
            return SendResult(error="lost", maybe_sent=True)
        return SendResult(
            answer["id"], answer["at"], answer["error"], answer["code"], answer["maybe_sent"]
        )

    async def send_test(self, text: str, seconds: float) -> tuple[str, str]:
        """Send a text to the linked number itself, within `seconds`.

        Return the message's id and "", or "" and the error: "timed out", "lost" or "refused".
        """
        content = {"to": None, "type": "text", "text": {"body": text}}
        result = await self.send(content, seconds)
        return result.id, TEST_ERRORS.get(result.error, "refused") if result.error else ""

    async def resolve(self, numbers: list[str], seconds: float) -> Resolved:
        """Look numbers (E.164 with "+") up at WhatsApp, within `seconds`."""
        if self._ended or self._closed:
            return Resolved("not_connected")
        key = self._answers.new_key()
        command = {"do": "resolve", "resolve": key, "numbers": numbers}
        try:
            answer = await self._ask(command, "resolve_done", key, seconds)
        except TimeoutError:
            return Resolved("timed_out")
        return Resolved(answer["error"], answer["found"]) if answer else Resolved("lost")

    async def download(self, media: str, path: str, limit: int, seconds: float) -> Downloaded:
        """Download a received message's media (base64 of its spool line) into a file."""
        if self._ended or self._closed:
            return Downloaded("lost")
        key = self._answers.new_key()
        command = {"do": "download", "download": key, "media": media, "path": path, "limit": limit}
        try:
            answer = await self._ask(command, "download_done", key, seconds)
        except TimeoutError:
            return Downloaded("timed_out")
        if not answer:
            return Downloaded("lost")
        return Downloaded(answer["error"], answer["size"], answer["mime_type"])

    async def mark_read(
        self, ids: list[str], chat: str, sender: str, played: bool, seconds: float
    ) -> str:
        """Tell the sender of messages that they were read, or played, within `seconds`.

        Return "" or the error: not_connected · timed_out · lost · stopped · failed.
        """
        if self._ended or self._closed:
            return "not_connected"
        key = self._answers.new_key()
        command: Event = {"do": "mark_read", "mark_read": key, "ids": ids, "chat": chat}
        command |= {"sender": sender, "played": played}
        try:
            answer = await self._ask(command, "mark_read_done", key, seconds)
        except TimeoutError:
            return "timed_out"
        return str(answer["error"]) if answer else "lost"

    def typing(self, chat: str, on: bool) -> None:
        """Show the chat that this account types, or does not any more."""
        self.host.send({"do": "typing", "chat": chat, "on": on, "ref": self.ref})

    async def trim_spool(self, upto: int) -> int:
        """Drop the first bytes of the spool, which are stored. Return how many were dropped.

        Without a deadline: a caller that gave up would not know where the unread lines begin. A
        host that answers neither this nor pings is killed, which ends the wait.
        """
        if self._ended:
            return 0
        answer = await self._ask({"do": "trim_spool", "upto": upto}, "spool_trimmed", "", None)
        return int(answer.get("dropped", 0))

    async def _ask(
        self, command: Event, event: str, key: str, seconds: float | None
    ) -> Mapping[str, Any]:
        """Send a command and return its answer, empty if the client ends. Raises TimeoutError."""
        answer = self._answers.expect(event, key)
        self.host.send({**command, "ref": self.ref})
        async with asyncio.timeout(seconds):
            return await answer

    def _is_notice(self, event: Event) -> bool:
        """Return whether an event is no change of the client's state, and note it."""
        if event["event"] == "spooled":
            self.spool_blocked = False
            self.spooled.set()
        elif event["event"] == "spool_failed":
            self.spool_blocked = True
            logger.error("a spool cannot be written", extra={"why": event["error"]})
        elif event["event"] == "call_failed":
            why = {"what": event["what"], "why": event["error"]}
            logger.info("a call of a client failed", extra=why)
        else:
            return False
        return True

    # --- End -------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Close the socket, keeping the credentials.

        If the client does not stop, its host is killed as soon as the others have moved out:
        reopened in another host, it would replace its own connection again and again. In an
        outage, in which they could not connect again, it waits for them: the client itself ends
        with its dial.
        """
        if self._closed:
            return
        self._closed = True
        if not self.connected and not self._ended:
            self.host.orphaned_stores.add(self.database)
        self.host.send({"do": "close", "ref": self.ref})
        try:
            if await self._wait_until_ended(CLOSE_SECONDS):
                return
            self.host.stuck = True
            if await self._ends_before_others_have_left():
                return
            logger.warning(
                "killing a host whose client did not stop", extra={"host": self.host.pid}
            )
            self.host.kill("a client in it did not end")
        finally:
            # Cancelled, or its host killed: no event will tell those who follow its spool.
            self.host.forget(self.ref)
            self._forgotten = True
            self._answers.end()
            self.spooled.set()

    async def _ends_before_others_have_left(self) -> bool:
        """Wait until the other clients have moved out. Return whether this one ends meanwhile."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + MOVE_OUT_SECONDS
        while self.host.client_count > 1 and loop.time() < deadline:
            if await self._wait_until_ended(0.5):
                return True
            if self.host.must_stay:
                deadline = loop.time() + MOVE_OUT_SECONDS
        return False

    async def _wait_until_ended(self, seconds: float) -> bool:
        """Return whether the client ends within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while not self._ended:
                    await self.next()
        except TimeoutError:
            return False
        return True
