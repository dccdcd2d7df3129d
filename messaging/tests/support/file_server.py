"""A server on loopback with files, for messages that name one by a link."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar


class FileServer:
    """Serves `files`: path -> (content, content type). `asked`: the headers of each request."""

    def __init__(self, port: int, wait: Callable[[], object]) -> None:
        self.wait = wait
        self.url = f"http://127.0.0.1:{port}"
        self.files: dict[str, tuple[bytes, str]] = {}
        self.asked: list[dict[str, str]] = []

    def add(self, path: str, content: bytes, content_type: str = "") -> str:
        """Serve a file, and return its URL."""
        self.files[path] = (content, content_type)
        return self.url + path


class _Handler(BaseHTTPRequestHandler):
    files: ClassVar[FileServer]

    def do_GET(self) -> None:
        self.files.asked.append({name.lower(): value for name, value in self.headers.items()})
        self.files.wait()
        found = self.files.files.get(self.path)
        self.send_response(404 if found is None else 200)
        content, content_type = found or (b"not here", "text/plain")
        if content_type:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        with suppress(ConnectionError):  # Who asked may have gone.
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving_files(wait: Callable[[], object] = lambda: None) -> Iterator[FileServer]:
    """Start a server on a free port, which calls `wait` before each answer."""

    class Handler(_Handler):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Handler.files = FileServer(server.server_port, wait)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield Handler.files
        finally:
            server.shutdown()
            thread.join()
