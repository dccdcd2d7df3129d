"""A receiver of webhooks on loopback, which answers as a test wants."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

Headers = dict[str, str]


@dataclass
class Received:
    """A request. `headers`: names in lower case."""

    path: str
    headers: Headers
    content: bytes

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.content)
        return found

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Reply:
    """What the receiver does: answer with a status after `delay` seconds, hang, or close."""

    status: int = 200
    headers: Headers = field(default_factory=dict)
    text: str = ""
    delay: float = 0.0
    hangs: bool = False
    closes: bool = False


OK, HANG, CLOSE = Reply(), Reply(hangs=True), Reply(closes=True)


class Receiver:
    """Listens on a free port. `answer` is asked what to do with each request."""

    def __init__(self, answer: Callable[[Received], Reply] = lambda received: OK) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self.taken: dict[int, list[int]] = defaultdict(list)
        """The sequences that were answered with 2xx, by organization, if the format tells them."""
        self.open = self.most_open = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=2048)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    @property
    def host(self) -> str:
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/hooks?key=secret"

    @property
    def sequences(self) -> list[int]:
        """The sequences of all requests, in the order of their arrival."""
        return [received.body["sequence"] for received in self.received]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await self._answer(await _read(reader), reader, writer)
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            self._connections.discard(task)
            writer.close()

    async def _answer(
        self, received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.received.append(received)
        reply = self.answer(received)
        if reply.closes:
            return
        if reply.hangs:
            await reader.read()
            return
        await asyncio.sleep(reply.delay)
        body = received.body
        if 200 <= reply.status < 300 and "sequence" in body:
            self.taken[body["organization"]].append(body["sequence"])
        headers = {"content-length": str(len(reply.text.encode())), **reply.headers}
        lines = [f"HTTP/1.1 {reply.status} Any", *(f"{name}: {headers[name]}" for name in headers)]
        writer.write("\r\n".join([*lines, "", reply.text]).encode())
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(head[0].split()[1], headers, content)
