"""Measure the rate of `GET status` with cheap clients on persistent connections.

The clients run in a separate process, undisturbed by other threads.
"""

from __future__ import annotations

import itertools
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from bench.service import path_of
from tests.support.application import ROOT

ANSWER_SECONDS = 10.0
START_SECONDS = 30.0


def statuses(
    port: int, token: str, organizations: list[int], clients: int, seconds: float
) -> float:
    """Return the responses per second, measured in a separate process."""
    numbers = ",".join(map(str, organizations))
    command = [sys.executable, "-m", "bench.load", str(port), numbers, str(clients), str(seconds)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        # Not an argument, which all users of the machine can read.
        input=token,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=seconds + START_SECONDS,
    )
    return float(done.stdout)


@dataclass
class Client:
    """A connection with its next requests and the received part of a response."""

    connection: socket.socket
    requests: Iterator[bytes]
    received: bytes = b""

    def send_request(self) -> None:
        self.connection.sendall(next(self.requests))

    def receive(self) -> bool:
        """Receive data. Returns whether the response is complete. Raises unless it is a 200."""
        chunk = self.connection.recv(65_536)
        assert chunk, "the service closed a connection"
        self.received += chunk
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found or len(body) < length_of(head):
            return False
        assert head.startswith(b"HTTP/1.1 200 "), head
        self.received = b""
        return True


def length_of(head: bytes) -> int:
    """Return the Content-Length of a response."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise AssertionError(f"an answer without its length: {head!r}")


def count(port: int, token: str, organizations: list[int], clients: int, seconds: float) -> float:
    """Return the answers per second, measured in this process.

    No two clients ask for the same organization, and no two requests are the same: no cache of
    answers would help.
    """
    clients, ids = min(clients, len(organizations)), itertools.count(1)
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        for number in range(clients):
            connection = socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS)
            stack.enter_context(connection)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = Client(connection, requests_for(organizations[number::clients], token, ids))
            selector.register(connection, selectors.EVENT_READ, client)
            client.send_request()
        answers, started = 0, time.perf_counter()
        while (passed := time.perf_counter() - started) < seconds:
            ready = selector.select(ANSWER_SECONDS)
            assert ready, f"no answer within {ANSWER_SECONDS:g} s"
            for key, _ in ready:
                if key.data.receive():
                    answers += 1
                    key.data.send_request()
    return answers / passed


def requests_for(organizations: list[int], token: str, ids: Iterator[int]) -> Iterator[bytes]:
    """Yield requests for these organizations in turn, each with an id of its own."""
    for organization in itertools.cycle(organizations):
        yield (
            f"GET {path_of(organization, 'status')} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"X-Request-Id: {next(ids)}\r\nAuthorization: Bearer {token}\r\n\r\n"
        ).encode()


if __name__ == "__main__":
    port, numbers, clients, seconds = sys.argv[1:]
    token = sys.stdin.read()
    organization_ids = [int(number) for number in numbers.split(",")]
    print(count(int(port), token, organization_ids, int(clients), float(seconds)))
