"""The client that counts answers: it takes them in pieces, and counts nothing but 200."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from bench import load

PIECES = (b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 4\r\n\r\nab", b"cd")


class Server:
    """Answers every request on every connection with the same pieces, some time apart."""

    def __init__(self, pieces: tuple[bytes, ...]) -> None:
        self.pieces = pieces
        self.by_connection: list[list[bytes]] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    @property
    def received_requests(self) -> list[bytes]:
        """All requests, of all connections."""
        return [request for requests in self.by_connection for request in requests]

    def shared_paths(self) -> set[bytes]:
        """Return the paths that came on more than one connection."""
        paths = [{request.split()[1] for request in requests} for requests in self.by_connection]
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


def test_response_in_pieces_is_counted_once(servers: list[Server]) -> None:
    servers.append(server := Server(PIECES))
    rate = load.statuses(server.port, "a-token", [7, 8, 9], clients=2, seconds=0.5)
    assert 0 < rate * 0.5 <= len(server.received_requests)
    assert all(request.count(b"\r\n\r\n") == 1 for request in server.received_requests)
    assert all(
        b"Authorization: Bearer a-token\r\n" in request for request in server.received_requests
    )
    paths = {request.split()[1] for request in server.received_requests}
    assert paths == {b"/api/v1/organizations/%d/whatsapp/status" % number for number in (7, 8, 9)}


def test_clients_share_no_organization_and_no_request(servers: list[Server]) -> None:
    servers.append(server := Server((b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",)))
    load.count(server.port, "a-token", list(range(10, 17)), clients=3, seconds=0.5)
    assert len(server.received_requests) > 7
    assert len(set(server.received_requests)) == len(server.received_requests)
    assert server.shared_paths() == set()


def test_more_clients_than_organizations_are_not_connected(servers: list[Server]) -> None:
    servers.append(server := Server((b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",)))
    load.count(server.port, "a-token", [1, 2], clients=8, seconds=0.2)
    assert len(server.by_connection) == 2


def test_error_response_raises(servers: list[Server]) -> None:
    servers.append(server := Server((b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n",)))
    with pytest.raises(AssertionError, match="429"):
        load.count(server.port, "a-token", [1], clients=1, seconds=0.5)


def test_response_without_length_raises(servers: list[Server]) -> None:
    servers.append(server := Server((b"HTTP/1.1 200 OK\r\n\r\n",)))
    with pytest.raises(AssertionError, match="without its length"):
        load.count(server.port, "a-token", [1], clients=1, seconds=0.5)
