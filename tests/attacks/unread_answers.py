"""Requests sent in one piece on a few connections, whose answers nobody reads.

`python -m tests.attacks.unread_answers` prints what they cost the server: memory, and how many
requests it has begun.
"""

from __future__ import annotations

import re
import socket
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.application import ROOT, Application
from whatsapp_orgs import static_files

CONNECTIONS = 3
# 45 KB in all, which servers read at once.
REQUESTS = 135
FOLDER = f"/static/{static_files.version(ROOT / 'static')}/drf_spectacular_sidecar"
PATH = f"{FOLDER}/swagger-ui-dist/swagger-ui-bundle.js"
SECONDS = 10.0
POLL_SECONDS = 0.1
# So that each handled request is logged.
ENVIRONMENT = {"LOG_FORMAT": "json"}


@dataclass(frozen=True)
class Outcome:
    """The cost for the server."""

    sent_bytes: int
    grown_mb: float
    started: int


def attack(application: Application, seconds: float = SECONDS) -> Outcome:
    """Send, read nothing for so long, and return what became of the server meanwhile.

    The application must run with ENVIRONMENT.
    """
    parts = urlsplit(application.url)
    request = f"GET {PATH} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    _warm_up(application)
    before = peak = _memory(application)
    started = _handled_count(application)
    clients = [_connect(application) for _ in range(CONNECTIONS)]
    try:
        for client in clients:
            client.sendall(request * REQUESTS)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            peak = max(peak, _memory(application))
            time.sleep(POLL_SECONDS)
        started = _handled_count(application) - started
    finally:
        for client in clients:
            client.close()
    sent = len(request) * REQUESTS * CONNECTIONS
    return Outcome(sent, (peak - before) / 2**20, started)


def _connect(application: Application) -> socket.socket:
    parts = urlsplit(application.url)
    return socket.create_connection((str(parts.hostname), parts.port or 80), 10)


def _warm_up(application: Application) -> None:
    """Send a request, so that one-time costs do not count."""
    with urllib.request.urlopen(application.url.rstrip("/") + PATH, timeout=20) as answer:
        answer.read()


def _memory(application: Application) -> int:
    """Return the bytes that the web process has in memory."""
    assert application.process is not None
    status = Path(f"/proc/{application.process.pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.M)
    assert found is not None
    return int(found[1]) * 1024


def _handled_count(application: Application) -> int:
    """Return the number of handled requests."""
    return application.log_text().count('"milliseconds"')


def main() -> None:
    """Attack a server that is started for it, and print a table."""
    with (
        tempfile.TemporaryDirectory(prefix="attack-") as folder,
        Application(Path(folder) / "data", (), **ENVIRONMENT) as application,
    ):
        found = attack(application)
    print(f"{CONNECTIONS} connections, {CONNECTIONS * REQUESTS} requests, nothing read")
    print(f"  sent                  {found.sent_bytes / 1000:8.0f} KB")
    print(f"  requests worked on    {found.started:8d}")
    print(f"  memory grown by       {found.grown_mb:8.0f} MB")


if __name__ == "__main__":
    main()
