"""Send a request to an ASGI application in the test's process."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

INNER_STATUS = 299


@dataclass
class Response:
    """A response."""

    status: int
    headers: dict[bytes, bytes]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


async def inner_application(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers every request with INNER_STATUS."""
    await send({"type": "http.response.start", "status": INNER_STATUS, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})


async def ask(
    application: Any,
    path: str,
    method: str = "GET",
    client: tuple[str, int] | None = ("127.0.0.1", 40000),
    headers: dict[str, str] | None = None,
) -> Response:
    """Send one request. Returns its response."""
    path, _, query = path.partition("?")
    sent: list[Any] = []
    received = False

    async def receive() -> Any:
        nonlocal received
        if received:
            await asyncio.Event().wait()
        received = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    all_headers = {"host": "127.0.0.1:8000", **(headers or {})}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "client": client,
        "headers": [(name.encode(), text.encode()) for name, text in all_headers.items()],
    }
    await application(scope, receive, send)
    start, *bodies = sent
    text = b"".join(message["body"] for message in bodies).decode()
    return Response(start["status"], dict(start["headers"]), text)
