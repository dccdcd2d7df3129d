"""Ask for statuses as users do, with cheap clients in a process of their own.

Each organization is asked for with its own token, and never twice within `interval` seconds, so
that no cache of answers helps. The connections are kept, as a proxy in front keeps them.

`python -m bench.load` reads a job from its standard input, one JSON object in a line. For "poll" it
prints a line once it asks, and goes on until the input ends; for "watch" it prints a line when it
is ready, and reads the time of the fault.
"""

from __future__ import annotations

import itertools
import json
import select
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from bench.service import Service
from bench.status_client import Answered, Client, run
from tests.support.application import ROOT

START_SECONDS = 30.0
READY = "ready\n"
WATCH_SECONDS = 180.0
# No caller asks for the same twice within this time.
INTERVAL_SECONDS = 1.0


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


def poll(job: Job, stopped: threading.Event, ready: Callable[[], None] | None = None) -> Answered:
    """Ask until it is stopped, also while nobody answers. `ready`: called once it asks."""
    clients = shared(job)
    # Spread over the interval, as callers who know nothing of each other are.
    now = time.monotonic()
    for client in clients:
        step = job.interval / len(client.queue)
        client.queue = deque(
            (now + n * step, organization, token)
            for n, (_, organization, token) in enumerate(client.queue)
        )
    looks = itertools.count()

    def over() -> bool:
        # At its second look the first questions are asked.
        if next(looks) == 1 and ready is not None:
            ready()
        return stopped.is_set()

    return run(clients, over, lambda body: True, tolerant=True)


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


def _wait_until_ready(process: subprocess.Popen[str], seconds: float = START_SECONDS) -> None:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], seconds)
    assert readable and process.stdout.readline() == READY, "the clients did not start"


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
        _wait_until_ready(process)
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
    try:
        _wait_until_ready(process)
        at = fault()
    except BaseException:
        process.kill()
        raise
    return float(_end(process, WATCH_SECONDS, f"{at}\n"))


def say_ready() -> None:
    sys.stdout.write(READY)
    sys.stdout.flush()


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
        print(json.dumps(asdict(poll(job, stopped, say_ready))))
    else:

        def fault() -> float:
            say_ready()
            return float(sys.stdin.readline())

        print(watch(job, fault))


if __name__ == "__main__":
    main()
