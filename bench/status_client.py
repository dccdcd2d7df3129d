"""Cheap clients that ask for statuses on kept connections, many at a time in one thread."""

from __future__ import annotations

import itertools
import selectors
import socket
import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from bench.service import path_of

ANSWER_SECONDS, PATIENT_SECONDS = 10.0, 180.0
# A client that was refused or cut off asks again then.
RETRY_SECONDS = 0.2


@dataclass
class Answered:
    """How much was answered, and how long each answer took."""

    answers: int = 0
    errors: int = 0
    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.answers / self.seconds

    @property
    def median(self) -> float:
        return statistics.median(self.milliseconds)


class Cut(Exception):
    """The service closed a connection, or refused it."""


class Client:
    """A connection, and the queue of what it asks for: each with the time from which it may."""

    def __init__(self, port: int, questions: Sequence[tuple[int, str]], interval: float) -> None:
        self.port = port
        self.interval = interval
        self.queue = deque((0.0, organization, token) for organization, token in questions)
        self.asked: tuple[int, str] | None = None
        self.asked_at = 0.0
        self.connection: socket.socket | None = None
        self._received = b""

    @property
    def due(self) -> float:
        """When the next question may be asked."""
        return self.queue[0][0]

    def connect(self) -> socket.socket:
        """Connect if it is not connected. Raises Cut."""
        if self.connection is None:
            try:
                self.connection = socket.create_connection(("127.0.0.1", self.port), ANSWER_SECONDS)
            except OSError as error:
                raise Cut(str(error)) from error
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.connection

    def ask(self, request_id: int) -> None:
        """Send the next question. Raises Cut."""
        _, organization, token = self.queue[0]
        connection = self.connect()
        self.asked, self.asked_at = (organization, token), time.monotonic()
        try:
            connection.sendall(request(organization, token, request_id))
        except OSError as error:
            raise Cut(str(error)) from error

    def receive(self) -> tuple[bytes, bytes] | None:
        """Receive data. Returns head and body once they are complete. Raises Cut."""
        assert self.connection is not None
        try:
            chunk = self.connection.recv(65_536)
        except OSError as error:
            raise Cut(str(error)) from error
        if not chunk:
            raise Cut("the service closed a connection")
        self._received += chunk
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < length_of(head):
            return None
        self._received = b""
        return head, body

    def finish(self, again: bool = True) -> int:
        """Take the answered question from the queue. Returns its organization."""
        assert self.asked is not None
        organization, token = self.asked
        self.queue.popleft()
        if again:
            self.queue.append((self.asked_at + self.interval, organization, token))
        self.asked = None
        return organization

    def retry(self, at: float) -> None:
        """Leave the connection; the same question is asked again at a time."""
        self.close()
        _, organization, token = self.queue.popleft()
        self.queue.appendleft((at, organization, token))

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection, self.asked, self._received = None, None, b""


def request(organization: int, token: str, request_id: int) -> bytes:
    """Return a request with an id of its own."""
    return (
        f"GET {path_of(organization, 'status')} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"X-Request-Id: {request_id}\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()


def length_of(head: bytes) -> int:
    """Return the Content-Length of a response."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise AssertionError(f"an answer without its length: {head!r}")


def run(
    clients: Sequence[Client],
    until: Callable[[], bool],
    take: Callable[[bytes], bool],
    tolerant: bool = False,
) -> Answered:
    """Let clients ask until `until` says so, or until none has a question.

    `take`: gets each body, and returns whether the question is asked again. `tolerant`: a client
    that is cut off asks again, and other answers than 200 are counted as errors.
    """
    result, ids, started = Answered(), itertools.count(1), time.monotonic()

    def cut_off(client: Client, error: Cut) -> None:
        if not tolerant:
            raise AssertionError(str(error)) from error
        result.errors += 1
        if client.connection is not None:
            with suppress(KeyError):
                selector.unregister(client.connection)
        client.retry(time.monotonic() + RETRY_SECONDS)

    def ask(client: Client) -> None:
        try:
            is_new = client.connection is None
            connection = client.connect()
            if is_new:
                selector.register(connection, selectors.EVENT_READ, client)
            client.ask(next(ids))
        except Cut as error:
            cut_off(client, error)

    def receive(client: Client) -> None:
        try:
            answer = client.receive()
        except Cut as error:
            return cut_off(client, error)
        if answer is None:
            return None
        head, body = answer
        good = head.startswith(b"HTTP/1.1 200 ")
        assert good or tolerant, head
        if good:
            result.answers += 1
            result.milliseconds.append(1000 * (time.monotonic() - client.asked_at))
        else:
            result.errors += 1
        client.finish(again=take(body) if good else True)
        return None

    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        for client in clients:
            stack.callback(client.close)
        while not until():
            now = time.monotonic()
            for client in clients:
                if client.queue and client.asked is None and client.due <= now:
                    ask(client)
            waiting = [client.due for client in clients if client.queue and client.asked is None]
            asked = [client.asked_at for client in clients if client.asked is not None]
            if not waiting and not asked:
                break
            now = time.monotonic()
            pause = min([RETRY_SECONDS, *(max(0.0, at - now) for at in waiting)])
            for key, _ in selector.select(pause):
                receive(key.data)
            oldest = min(asked, default=now)
            limit = PATIENT_SECONDS if tolerant else ANSWER_SECONDS
            assert time.monotonic() - oldest < limit, f"no answer within {limit:g} s"
    result.seconds = time.monotonic() - started
    return result
