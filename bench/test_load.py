"""The client that counts answers: it takes them in pieces, and counts nothing but 200."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench import load
from bench.load import Job
from bench.service import Service
from bench.status_client import RETRY_SECONDS, Answered

EMPTY = (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",)
PIECES = (b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 4\r\n\r\nab", b"cd")


class Server:
    """Answers every request on every connection with the same pieces, some time apart."""

    def __init__(self, pieces: tuple[bytes, ...], port: int = 0) -> None:
        self.pieces = pieces
        self.by_connection: list[list[bytes]] = []
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    @property
    def received_requests(self) -> list[bytes]:
        """All requests, of all connections."""
        return [request for requests in self.by_connection for request in requests]

    def paths(self) -> list[list[bytes]]:
        """Return the paths of each connection."""
        return [[request.split()[1] for request in requests] for requests in self.by_connection]

    def shared_paths(self) -> set[bytes]:
        """Return the paths that came on more than one connection."""
        paths = [set(found) for found in self.paths()]
        return {path for path in set().union(*paths) if sum(path in one for one in paths) > 1}

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                requests: list[bytes] = []
                self.by_connection.append(requests)
                arguments = (connection, requests)
                self.threads.append(threading.Thread(target=self._answer, args=arguments))
                self.threads[-1].start()

    def _answer(self, connection: socket.socket, requests: list[bytes]) -> None:
        with connection, suppress(OSError):
            while request := connection.recv(65_536):
                requests.append(request)
                for piece in self.pieces:
                    connection.sendall(piece)
                    time.sleep(0.002)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(5)


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    started: list[Server] = []
    yield started
    for server in started:
        server.close()


def job(kind: str, server: Server, organizations: list[int], **changes: Any) -> Job:
    tokens = [f"token-{organization}" for organization in organizations]
    usual: dict[str, Any] = {"clients": 3, "seconds": 0.4, "interval": 0.0}
    return Job(kind, [server.port], organizations, tokens, **usual | changes)


def test_response_in_pieces_is_counted_once(servers: list[Server]) -> None:
    servers.append(server := Server(PIECES))
    answered = load.count(job("count", server, [7, 8, 9]))
    assert 0 < answered.answers <= len(server.received_requests)
    assert len(answered.milliseconds) == answered.answers and answered.median >= 2
    assert all(request.count(b"\r\n\r\n") == 1 for request in server.received_requests)


def test_each_organization_is_asked_for_with_its_own_token(servers: list[Server]) -> None:
    servers.append(server := Server(EMPTY))
    load.count(job("count", server, [7, 8, 9, 10]))
    for request in server.received_requests:
        number = request.split(b"/")[4]
        assert b"Authorization: Bearer token-%s\r\n" % number in request
    assert len(server.by_connection) == 3 and server.shared_paths() == set()


def test_same_question_is_asked_again_after_its_interval_only(servers: list[Server]) -> None:
    servers.append(server := Server(EMPTY))
    load.count(job("count", server, [1, 2], interval=0.3, seconds=0.5))
    assert Counter(path for paths in server.paths() for path in paths) == {
        b"/api/v1/organizations/%d/whatsapp/status" % number: 2 for number in (1, 2)
    }


def test_error_response_raises(servers: list[Server]) -> None:
    servers.append(server := Server((b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n",)))
    with pytest.raises(AssertionError, match="429"):
        load.count(job("count", server, [1]))


def test_response_without_length_raises(servers: list[Server]) -> None:
    servers.append(server := Server((b"HTTP/1.1 200 OK\r\n\r\n",)))
    with pytest.raises(AssertionError, match="without its length"):
        load.count(job("count", server, [1]))


def test_poll_goes_on_after_a_refusal(servers: list[Server]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    stopped = threading.Event()
    results: list[Answered] = []
    polled = Job("poll", [port], [1], ["token"], 1, interval=0.0)
    thread = threading.Thread(target=lambda: results.append(load.poll(polled, stopped)))
    thread.start()
    time.sleep(0.1)
    servers.append(server := Server(EMPTY, port))
    time.sleep(2 * RETRY_SECONDS)
    stopped.set()
    thread.join(5)
    assert results[0].errors >= 1 and results[0].answers >= 1
    assert len(server.received_requests) >= results[0].answers


def test_polling_says_that_it_has_begun_once_it_has_asked(servers: list[Server]) -> None:
    servers.append(server := Server(EMPTY))
    service = SimpleNamespace(ports=[server.port], tokens={7: "token-7"})
    with load.polling(cast(Service, service), [7], 5.0):
        pass
    assert len(server.received_requests) == 1


def test_polling_waits_for_a_process_that_starts_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    script = "sleep 0.3; echo ready; read end; echo {}"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    start = partial(subprocess.Popen, ["sh", "-c", script], **pipes)
    monkeypatch.setattr(load, "_start", lambda job: start())
    service, started = SimpleNamespace(ports=[1], tokens={7: "token-7"}), time.monotonic()
    with load.polling(cast(Service, service), [7], 5.0):
        assert time.monotonic() - started >= 0.3


def test_clients_that_do_not_start_are_given_up() -> None:
    with (
        subprocess.Popen(["sleep", "30"], stdout=subprocess.PIPE, text=True) as silent,
        pytest.raises(AssertionError, match="did not start"),
    ):
        try:
            load._wait_until_ready(silent, 0.1)
        finally:
            silent.kill()


def test_watch_ends_when_each_client_has_seen_all_connected(servers: list[Server]) -> None:
    fault = datetime.now(UTC)
    since = (fault + timedelta(seconds=1)).isoformat()
    body = json.dumps({"state": "connected", "since": since}).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    servers.append(server := Server((answer,)))
    load.watch(job("watch", server, [1, 2, 3]), lambda: fault.timestamp())
    assert len(server.received_requests) == 9
    assert len({tuple(paths) for paths in server.paths()}) == 3  # Each begins elsewhere.


def test_watch_asks_again_for_what_was_connected_before(
    servers: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "WATCH_SECONDS", 0.3)
    body = json.dumps({"state": "connected", "since": "2026-01-01T00:00:00+00:00"}).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    servers.append(server := Server((answer,)))
    with pytest.raises(AssertionError, match="2 statuses did not say connected"):
        load.watch(replace(job("watch", server, [1, 2]), tokens=["one"]), time.time)
    assert len(server.received_requests) > 2
