"""ASGI middleware: 503 while the server is busy."""

from __future__ import annotations

import json
from typing import Any

from cloud_api import error_views
from whatsapp_orgs.api import RETRY_SECONDS, error_body
from whatsapp_orgs.server.asgi_types import Application, Receive, Scope, Send
from whatsapp_orgs.server.request_slots import ServerBusy

BUSY_MESSAGE = "The service is busy at the moment. Try again in a few seconds."


class ServerBusyMiddleware:
    """Answers 503 to a request that got no slot in time."""

    def __init__(self, application: Any) -> None:
        self._application: Application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._application(scope, receive, send)
        except ServerBusy:
            await _send_busy(scope, send)


async def _send_busy(scope: Scope, send: Send) -> None:
    body, content_type = BUSY_MESSAGE, b"application/json"
    if scope["path"].startswith("/api/"):
        body = json.dumps(error_body("busy", BUSY_MESSAGE))
    elif scope["path"].startswith(error_views.PREFIX):
        body = json.dumps(error_views.busy_body())
    else:
        content_type = b"text/plain"
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"%d" % RETRY_SECONDS),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
