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
    def asked(self) -> list[bytes]:
        """All requests, of all connections."""
        return [asked for requests in self.by_connection for asked in requests]

    def shared_paths(self) -> set[bytes]:
        """Return the paths that came on more than one connection."""
        paths = [{asked.split()[1] for asked in requests} for requests in self.by_connection]
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
            while asked := connection.recv(65_536):
                requests.append(asked)
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


def test_answers_in_pieces_are_counted_once(servers: list[Server]) -> None:
    servers.append(server := Server(PIECES))
    rate = load.statuses(server.port, "a-token", [7, 8, 9], clients=2, seconds=0.5)
    assert 0 < rate * 0.5 <= len(server.asked)
    assert all(asked.count(b"\r\n\r\n") == 1 for asked in server.asked)
    assert all(b"Authorization: Bearer a-token\r\n" in asked for asked in server.asked)
    paths = {asked.split()[1] for asked in server.asked}
    assert paths == {b"/api/v1/organizations/%d/whatsapp/status" % number for number in (7, 8, 9)}


def test_clients_share_no_organization_and_no_request_comes_twice(servers: list[Server]) -> None:
    servers.append(server := Server((b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",)))
    load.count(server.port, "a-token", list(range(10, 17)), clients=3, seconds=0.5)
    assert len(server.asked) > 7
    assert len(set(server.asked)) == len(server.asked)
    assert server.shared_paths() == set()


def test_more_clients_than_organizations_are_not_connected(servers: list[Server]) -> None:
    servers.append(server := Server((b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",)))
    load.count(server.port, "a-token", [1, 2], clients=8, seconds=0.2)
    assert len(server.by_connection) == 2


def test_an_error_is_no_answer(servers: list[Server]) -> None:
    servers.append(server := Server((b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n",)))
    with pytest.raises(AssertionError, match="429"):
        load.count(server.port, "a-token", [1], clients=1, seconds=0.5)


def test_an_answer_without_its_length_is_refused(servers: list[Server]) -> None:
    servers.append(server := Server((b"HTTP/1.1 200 OK\r\n\r\n",)))
    with pytest.raises(AssertionError, match="without its length"):
        load.count(server.port, "a-token", [1], clients=1, seconds=0.5)
