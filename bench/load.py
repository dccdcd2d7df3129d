"""Ask for statuses as users do, with cheap clients in a process of their own.

Each organization is asked for with its own token, and never twice within `interval` seconds, so
that no cache of answers helps. The connections are kept, as a proxy in front keeps them.

`python -m bench.load` reads a job from its standard input, one JSON object in a line. For "poll" it
goes on until the input ends; for "watch" it prints a line when it is ready, and reads the time of
the fault.
"""

from __future__ import annotations

import itertools
import json
import selectors
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from bench.service import Service, path_of
from tests.support.application import ROOT

ANSWER_SECONDS = 10.0
START_SECONDS = 30.0
WATCH_SECONDS = 180.0
# No caller asks for the same twice within this time.
INTERVAL_SECONDS = 1.0
# A client that was refused or cut off asks again then.
RETRY_SECONDS = 0.2


@dataclass(frozen=True)
class Job:
    """What a process of clients asks for. `tokens`: of each organization, or of each client.

    `interval`: the seconds until the same client asks for the same organization again.
    """

    kind: str
    ports: list[int]
    organizations: list[int]
    tokens: list[str]
    clients: int
    seconds: float = 0.0
    interval: float = INTERVAL_SECONDS


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
            limit = WATCH_SECONDS if tolerant else ANSWER_SECONDS
            assert time.monotonic() - oldest < limit, f"no answer within {limit:g} s"
    result.seconds = time.monotonic() - started
    return result


# --- The three kinds of jobs -------------------------------------------------------------------


def shared(job: Job) -> list[Client]:
    """Return clients that share the organizations; each is asked for with its own token."""
    pairs = list(zip(job.organizations, job.tokens, strict=True))
    count = min(job.clients, len(pairs))
    ports = itertools.cycle(job.ports)
    return [Client(next(ports), pairs[n::count], job.interval) for n in range(count)]


def each_asks_for_all(job: Job) -> list[Client]:
    """Return clients with a token each that ask for all, each beginning elsewhere."""
    numbers, ports = job.organizations, itertools.cycle(job.ports)
    clients = []
    for n, token in enumerate(job.tokens):
        first = n * len(numbers) // len(job.tokens)
        questions = [(number, token) for number in (*numbers[first:], *numbers[:first])]
        clients.append(Client(next(ports), questions, job.interval))
    return clients


def count(job: Job) -> Answered:
    """Ask for `seconds`."""
    end = time.monotonic() + job.seconds
    return run(shared(job), lambda: time.monotonic() >= end, lambda body: True)


def poll(job: Job, stopped: threading.Event) -> Answered:
    """Ask until it is stopped, also while nobody answers."""
    clients = shared(job)
    # Spread over the interval, as callers who know nothing of each other are.
    now = time.monotonic()
    for client in clients:
        step = job.interval / len(client.queue)
        client.queue = deque(
            (now + n * step, organization, token)
            for n, (_, organization, token) in enumerate(client.queue)
        )
    return run(clients, stopped.is_set, lambda body: True, tolerant=True)


def watch(job: Job, fault: Callable[[], float]) -> float:
    """Return when each client had seen every organization connected since after the fault.

    `fault`: waits for the fault, and returns its time.
    """
    clients = each_asks_for_all(job)
    after = fault()
    give_up_at = time.monotonic() + WATCH_SECONDS

    def again(body: bytes) -> bool:
        status = json.loads(body)
        since = datetime.fromisoformat(status["since"]).timestamp()
        return not (status["state"] == "connected" and since > after)

    def given_up() -> bool:
        return time.monotonic() > give_up_at

    run(clients, given_up, again, tolerant=True)
    left = sum(len(client.queue) for client in clients)
    assert not left, f"{left} statuses did not say connected within {WATCH_SECONDS:g} s"
    return time.time()


# --- From the bench's process --------------------------------------------------------------------


def _start(job: Job) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.load"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    # Not an argument, which all users of the machine can read.
    process.stdin.write(json.dumps(asdict(job)) + "\n")
    process.stdin.flush()
    return process


def _end(process: subprocess.Popen[str], seconds: float, last: str = "") -> Any:
    """Give the process its last input. Returns what it printed."""
    try:
        output, _ = process.communicate(last, timeout=seconds + START_SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, "the clients failed; their error is above"
    return json.loads(output.splitlines()[-1])


def own_tokens(service: Service, organizations: Sequence[int]) -> list[str]:
    return [service.tokens[organization] for organization in organizations]


def statuses(
    service: Service, organizations: Sequence[int], clients: int, seconds: float
) -> Answered:
    """Let clients ask for `seconds`, each organization once a second at most."""
    tokens = own_tokens(service, organizations)
    job = Job("count", service.ports, list(organizations), tokens, clients, seconds)
    return Answered(**_end(_start(job), seconds))


@contextmanager
def polling(service: Service, organizations: Sequence[int], seconds: float) -> Iterator[None]:
    """Let each organization's software ask for its status every so many seconds meanwhile."""
    tokens = own_tokens(service, organizations)
    job = Job("poll", service.ports, list(organizations), tokens, 8, interval=seconds)
    process = _start(job)
    try:
        yield
    except BaseException:
        process.kill()
        raise
    Answered(**_end(process, 0))


def seen_by_all(
    service: Service,
    organizations: Sequence[int],
    tokens: Sequence[str],
    fault: Callable[[], float],
) -> float:
    """Return when a client for each token had seen every status connected after the fault."""
    job = Job("watch", service.ports, list(organizations), list(tokens), len(tokens))
    process = _start(job)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", "the clients did not start"
    return float(_end(process, WATCH_SECONDS, f"{fault()}\n"))


def main() -> None:
    job = Job(**json.loads(sys.stdin.readline()))
    if job.kind == "count":
        print(json.dumps(asdict(count(job))))
    elif job.kind == "poll":
        stopped = threading.Event()

        def wait_for_end() -> None:
            sys.stdin.read()
            stopped.set()

        threading.Thread(target=wait_for_end, daemon=True).start()
        print(json.dumps(asdict(poll(job, stopped))))
    else:

        def fault() -> float:
            print("ready", flush=True)
            return float(sys.stdin.readline())

        print(watch(job, fault))


if __name__ == "__main__":
    main()
