"""A mail server and a chat on loopback, which keep what arrives and when."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from notices.tests.support.servers import MailServer, running
from tests.support.application import until

MAIL, CHAT = "mail", "chat"
LINK_SECONDS = 30.0


@dataclass(frozen=True)
class Arrived:
    """A notice. `at`: of the monotonic clock; `to`: a mail address, or the name of a chat."""

    at: float
    to: str
    channel: str
    subject: str
    body: str


class Inbox:
    """All notices that have arrived, in order. `say`: called with a line about each."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.arrived: list[Arrived] = []
        self._say = say

    def add(self, to: str, channel: str, subject: str, body: str) -> None:
        self.arrived.append(Arrived(time.monotonic(), to, channel, subject, body))
        self._say(f"{channel} to {to}: {subject}")

    def wait_for_path(self, to: str, start: str) -> str:
        """Wait for a message to an address with a link whose path begins so; return the path."""
        pattern = re.compile(rf"https?://[^/\s]+/({re.escape(start)}\S*)")

        def find() -> str:
            bodies = [each.body for each in self.arrived if each.to == to]
            return next((found[1] for body in bodies if (found := pattern.search(body))), "")

        path: str = until(find, LINK_SECONDS, f"a link to {start} for {to}")
        return path


class _Mails(MailServer):
    def __init__(self, inbox: Inbox) -> None:
        super().__init__()
        self._inbox = inbox

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=policy.default)
        part = mail.get_body(("plain",))
        self._inbox.add(mail["To"], MAIL, mail["Subject"], part.get_content() if part else "")
        return "250 OK"


@contextmanager
def mail_server(inbox: Inbox) -> Iterator[int]:
    """Run a mail server; yields its port."""
    with running(_Mails(inbox)) as server:
        yield server.port


@contextmanager
def chat_server(inbox: Inbox) -> Iterator[int]:
    """Run what takes Apprise's JSON messages, a chat for each path; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            inbox.add(self.path.strip("/"), CHAT, message["title"], message["message"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing: requests are the result."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
