"""What a machine asks the application, as it comes in at the front, and what it is answered."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

PASSED_INSIDE = 299


@dataclass
class Told:
    """An answer."""

    status: int
    headers: dict[bytes, bytes]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


async def inside(scope: Any, receive: Any, send: Any) -> None:
    """What lies behind the front: says that it was asked."""
    await send({"type": "http.response.start", "status": PASSED_INSIDE, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})


async def ask(
    application: Any,
    path: str,
    method: str = "GET",
    client: tuple[str, int] | None = ("127.0.0.1", 40000),
    headers: dict[str, str] | None = None,
) -> Told:
    """One request of a client that waits for its answer."""
    path, _, query = path.partition("?")
    sent: list[Any] = []
    asked = False

    async def receive() -> Any:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    given = {"host": "127.0.0.1:8000", **(headers or {})}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "client": client,
        "headers": [(name.encode(), text.encode()) for name, text in given.items()],
    }
    await application(scope, receive, send)
    start, *bodies = sent
    text = b"".join(message["body"] for message in bodies).decode()
    return Told(start["status"], dict(start["headers"]), text)
