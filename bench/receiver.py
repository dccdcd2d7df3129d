"""A receiver of webhooks on loopback, the same for all services: notes when each text arrived."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class Receiver:
    """A context manager that listens on a free port. All times are wall-clock times."""

    def __init__(self) -> None:
        self._arrivals: dict[str, float] = {}
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver._note(json.loads(body), time.time())
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Print nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/messages"

    def wait_for(self, text: str, seconds: float) -> float:
        """Return when a message with this text first arrived. Raises AssertionError."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: text in self._arrivals, seconds)
            assert arrived, f"a message did not arrive within {seconds:g} s"
            return self._arrivals[text]

    def _note(self, event: dict[str, Any], at: float) -> None:
        with self._changed:
            self._arrivals.setdefault(event["data"]["text"]["body"], at)
            self._changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # Services keep their connections.
    request_queue_size = 256
