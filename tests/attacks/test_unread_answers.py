"""Clients that do not read, or open too many connections, cost little and are dropped."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.attacks import unread_answers
from tests.support.application import Application, until
from tests.support.raw_http import RawConnection, frame

ALLOWED = 12
PING = 9
# Longer than each deadline in `short_deadlines.py`, on a busy machine.
SECONDS = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    folder = tmp_path_factory.mktemp("server") / "data"
    environment = {
        **unread_answers.ENVIRONMENT,
        "CONNECTIONS_PER_ADDRESS": str(ALLOWED),
        "DJANGO_SETTINGS_MODULE": "tests.attacks.short_deadlines",
    }
    with Application(folder, (), **environment) as running:
        yield running


def get(server: Application, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {urlsplit(server.url).netloc}\r\n\r\n".encode()


def read_to_end(client: socket.socket) -> bytes:
    """Receive until the server closes the connection. Raises TimeoutError."""
    heard = b""
    try:
        while data := client.recv(2**20):
            heard += data
    except ConnectionError:
        pass
    return heard


def connect(server: Application) -> socket.socket:
    parts = urlsplit(server.url)
    return socket.create_connection((str(parts.hostname), parts.port or 80), SECONDS)


def test_pipelined_requests_wait_while_the_client_does_not_read(server: Application) -> None:
    found = unread_answers.attack(server, seconds=3)
    # One response of 1.6 MB for each connection, besides kernel buffers.
    assert found.started <= unread_answers.CONNECTIONS * 10
    assert found.grown_mb < 100


def test_pipelined_requests_are_all_answered_when_read(server: Application) -> None:
    number = 300
    # Responses that need no thread would recurse if they were not deferred.
    with connect(server) as client:
        refused = get(server, "/").replace(b"Host", b"X-Header: \x0b\r\nHost")
        client.sendall(refused * number + get(server, "/healthz"))
        client.settimeout(SECONDS)
        heard = b""
        while b"ok\n" not in heard:
            data = client.recv(65536)
            assert data
            heard += data
    assert heard.count(b"HTTP/1.1 400 ") == number
    assert "Traceback" not in server.log_text()


def test_large_pipelined_responses_continue_when_read(server: Application) -> None:
    request = get(server, unread_answers.PATH)
    last = request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with connect(server) as client:
        client.sendall(request * 9 + last)
        assert read_to_end(client).count(b"HTTP/1.1 200 ") == 10


def test_client_that_does_not_read_is_dropped(server: Application) -> None:
    with connect(server) as client:
        client.sendall(get(server, unread_answers.PATH) * 10)
        assert is_dropped(client)


def test_socket_that_pings_without_reading_is_dropped(server: Application) -> None:
    ping = frame(PING, b"x" * 125)
    with RawConnection(server) as raw:
        raw.open_websocket("/ws/connections/", server.facts["token"])
        raw.send(ping * 60_000)
        with pytest.raises(ConnectionError):
            for _ in range(int(SECONDS)):
                raw.send(ping)
                time.sleep(1)


def is_dropped(client: socket.socket) -> bool:
    """Return whether the server resets a connection on which nothing is read."""
    poll = select.poll()
    poll.register(client, select.POLLERR | select.POLLHUP)
    return bool(poll.poll(SECONDS * 1000))


def test_incomplete_second_request_is_dropped(server: Application) -> None:
    clients = [RawConnection(server) for _ in range(2)]
    for client, beginning in zip(clients, ("GET /adm", "GET / HTTP/1.1\r\nX-Slow: "), strict=True):
        client.send(client.head("GET /healthz") + beginning.encode())
    for client in clients:
        heard = client.rest()
        assert (heard.status, heard.body) == (200, b"ok\n")
        client.__exit__()


def test_slow_second_request_is_dropped(server: Application) -> None:
    with connect(server) as client:
        client.sendall(get(server, "/healthz"))
        client.settimeout(0.2)
        client.recv(65536)
        sent = 0
        try:
            while sent < 60:
                client.sendall(b"G")
                sent += 1
                try:
                    assert client.recv(65536) == b""
                    break
                except TimeoutError:
                    continue
        except ConnectionError:
            pass
    # Five bytes a second: each restarts the idle timeout.
    assert 10 < sent < 50


def test_connections_beyond_the_limit_of_an_address_are_closed(server: Application) -> None:
    clients = []
    try:
        for _ in range(ALLOWED):
            clients.append(connect(server))
            clients[-1].sendall(get(server, "/healthz"))
            assert clients[-1].recv(65536)
        with connect(server) as refused:
            assert read_to_end(refused) == b""
        clients.pop().close()
        assert count_responses(server)
    finally:
        for client in clients:
            client.close()


def count_responses(server: Application) -> bool:
    def ask() -> bool:
        with connect(server) as client:
            try:
                client.sendall(get(server, "/healthz"))
                return client.recv(65536).startswith(b"HTTP/1.1 200 ")
            except ConnectionError:
                return False

    return bool(until(ask, SECONDS, "an answer after another connection has ended"))


def test_trusted_proxy_has_no_connection_limit(tmp_path: Path) -> None:
    environment = {"CONNECTIONS_PER_ADDRESS": "1", "TRUST_PROXY": "true"}
    with Application(tmp_path / "data", (), **environment) as server:
        clients = [connect(server) for _ in range(5)]
        for client in clients:
            client.sendall(get(server, "/healthz"))
            assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
            client.close()
