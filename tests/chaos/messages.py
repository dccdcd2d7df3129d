"""People who write, and software that sends, all the time and whatever else happens."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from simulator.client import ControlClient, ControlError
from tests.chaos.message_ledger import Ask, MessageLedger
from tests.support.application import Answer

PEOPLE_PER_ORGANIZATION = 4
WRITERS, SENDERS = 2, 6
RETRY_SECONDS, TIMEOUT_SECONDS = 0.3, 180.0
UNAVAILABLE = (OSError, http.client.HTTPException, ValueError)
# How many of a hundred times a person writes much at once, and how much.
BURSTS, BURST = 4, 15
# How many of a hundred requests are cancelled, expire soon, go to nobody, or are made twice.
CANCELLED, EXPIRING, TO_NOBODY, REPEATED = 2, 6, 2, 5


class Messenger(Protocol):
    """The ways to the product and to the simulated people."""

    @property
    def simulator(self) -> ControlClient: ...

    def call(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> Answer:
        """Call the API once. Raises UNAVAILABLE."""

    def manage(self, *arguments: str) -> str:
        """Run a management command, and return what it printed."""


def people_of(organization: int) -> list[str]:
    """Return the numbers of the people who write with an organization."""
    return [f"55219{organization:04d}{n:04d}" for n in range(PEOPLE_PER_ORGANIZATION)]


class MessageTraffic:
    """Threads that write until `total` messages were written, half of them by people.

    `per_second`: the rate of both together. `account`: returns the phone number that an
    organization has at that moment.
    """

    def __init__(
        self,
        messenger: Messenger,
        organizations: Sequence[int],
        account: Callable[[int], str],
        total: int,
        per_second: float,
        rng: random.Random,
        senders: int = SENDERS,
    ) -> None:
        self.ledger = MessageLedger()
        self.problems: list[str] = []
        self._messenger, self._organizations, self._account = messenger, organizations, account
        self._left = {"in": total // 2, "out": total - total // 2}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        writers = max(WRITERS, senders // 3)
        rate = max(per_second, 0.001)
        pause_in, pause_out = 2 * writers / rate, 2 * senders / rate
        self._threads = [
            *(self._thread("in", self._write, pause_in, rng.random()) for _ in range(writers)),
            *(self._thread("out", self._send, pause_out, rng.random()) for _ in range(senders)),
        ]

    def start(self) -> None:
        """Create the people, and start to write."""
        for organization in self._organizations:
            for number in people_of(organization):
                self._messenger.simulator.save_person(number)
        for thread in self._threads:
            thread.start()

    @property
    def running(self) -> bool:
        """Whether there is more to write."""
        return any(thread.is_alive() for thread in self._threads)

    def join(self, seconds: float) -> None:
        """Wait until all is written, or stop after `seconds`."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _thread(
        self, way: str, act: Callable[[random.Random], None], pause: float, seed: float
    ) -> threading.Thread:
        return threading.Thread(
            target=self._run, args=(way, act, pause, random.Random(seed)), daemon=True
        )

    def _run(
        self, way: str, act: Callable[[random.Random], None], pause: float, rng: random.Random
    ) -> None:
        while not self._stopped.wait(rng.uniform(0, 2 * pause)) and self._take(way):
            try:
                act(rng)
            except Exception as error:
                self._report(f"the driver of messages broke: {type(error).__name__}: {error}")

    def _take(self, way: str) -> bool:
        with self._lock:
            self._left[way] -= 1
            return self._left[way] >= 0

    def _write(self, rng: random.Random) -> None:
        """Let a person write, sometimes much at once."""
        organization = rng.choice(self._organizations)
        person = rng.choice(people_of(organization))
        count = BURST if rng.randrange(100) < BURSTS else 1
        for number in range(count):
            if number == 0 or self._take("in"):
                self._say(person, organization)

    def _say(self, person: str, organization: int) -> None:
        """Let a person write once; again while the simulator is away, which knows what it took."""
        while not self._stopped.is_set():
            try:
                text = f"in {time.time_ns()}"
                self._messenger.simulator.say(person, self._account(organization), text)
            except ControlError as error:
                if error.status:
                    return  # No phone has this number yet.
                self._stopped.wait(RETRY_SECONDS)
            else:
                return

    def _send(self, rng: random.Random) -> None:
        """Let software send a message; sometimes it asks twice, or cancels."""
        organization = rng.choice(self._organizations)
        dice = rng.randrange(100)
        person = rng.choice(people_of(organization))
        if dice < TO_NOBODY:
            person = f"55218{rng.randrange(10**8):08d}"
        ask = Ask(organization, person)
        if TO_NOBODY <= dice < TO_NOBODY + EXPIRING:
            ask.lifetime = rng.uniform(1, 8)
        self.ledger.add(ask)
        body = _body(ask)
        self._ask(ask, body)
        if dice >= 100 - REPEATED and ask.id:
            first = ask.id
            self._ask(ask, body)
            if ask.id != first:
                self._report(f"one key made two messages: {first} and {ask.id}")
        elif dice >= 100 - REPEATED - CANCELLED and ask.id:
            path = f"{_path(organization)}/{ask.id}"
            answer = self._answered("DELETE", path, None, {})
            ask.cancelled = answer is not None and answer.status == 200

    def _ask(self, ask: Ask, body: dict[str, Any]) -> None:
        """Repeat a request with its key until it is answered."""
        headers = {"Idempotency-Key": ask.key}
        answer = self._answered("POST", _path(ask.organization), body, headers, ask)
        if answer is None:
            return
        if answer.status == 202:
            ask.id = str(answer.body["id"])
        else:
            ask.refused = f"{answer.status} {answer.body.get('code')}"

    def _answered(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        headers: dict[str, str],
        ask: Ask | None = None,
    ) -> Answer | None:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if ask is not None:
                ask.attempts += 1
            with suppress(*UNAVAILABLE):
                answer = self._messenger.call(method, path, body, headers)
                if answer.status < 500:
                    return answer
            time.sleep(RETRY_SECONDS)
        self._report(f"{method} of a message had no answer in {TIMEOUT_SECONDS:.0f} s")
        return None

    def _report(self, problem: str) -> None:
        with self._lock:
            self.problems.append(problem)


def _path(organization: int) -> str:
    return f"/api/v1/organizations/{organization}/messages"


def _body(ask: Ask) -> dict[str, Any]:
    body: dict[str, Any] = {"to": f"+{ask.person}", "type": "text", "text": {"body": ask.text}}
    if ask.lifetime:
        expires_at = datetime.now(UTC) + timedelta(seconds=ask.lifetime)
        body["expiresAt"] = expires_at.isoformat()
    return body
