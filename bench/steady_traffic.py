"""A steady rate of messages for each organization, each way, whatever the product does."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from simulator.client import ControlError
from tests.chaos.message_assertions import Seen
from tests.chaos.message_check import look
from tests.chaos.message_ledger import Ask, MessageLedger
from tests.chaos.message_tables import Tables
from tests.chaos.messages import UNAVAILABLE, Messenger, people_of

SENDERS = 32


@dataclass
class Latencies:
    """Seconds, of all messages of a period."""

    to_accepted: list[float] = field(default_factory=list)
    to_person: list[float] = field(default_factory=list)  # from accepted
    to_log: list[float] = field(default_factory=list)  # from the person's sending


class SteadyTraffic:
    """Each organization talks with one person: one message each way in an interval.

    A message is due at a fixed time, also when earlier ones are late. The moment within the
    interval is random for each organization and way. One object serves several periods, so that
    the comparison with the tables knows of all messages.
    """

    def __init__(self, messenger: Messenger) -> None:
        self.ledger = MessageLedger()
        self.problems: list[str] = []
        self.written: list[float] = []  # when each person's message was written
        self.accepted: list[tuple[float, float]] = []  # when it was asked for, and the seconds
        self._messenger = messenger
        self._rng = random.Random(1)
        self._futures: list[Future[None]] = []
        self._thread: threading.Thread | None = None

    @property
    def unanswered(self) -> int:
        """How many messages were due and are not accepted or written yet."""
        return sum(not future.done() for future in self._futures)

    def start(self, numbers: Mapping[int, str], per_minute: float, seconds: float) -> None:
        """Begin to write. `numbers`: the phone number of each organization."""
        for organization in numbers:
            self._messenger.simulator.save_person(person_of(organization))
        plan = schedule(numbers, (self._write, self._ask), 60 / per_minute, seconds, self._rng)
        self._futures = []
        self._thread = threading.Thread(target=self._follow, args=(plan, numbers), daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until each message is written or accepted, or its request has failed."""
        assert self._thread is not None
        self._thread.join()

    def _follow(self, plan: Plan, numbers: Mapping[int, str]) -> None:
        started = time.monotonic()
        with ThreadPoolExecutor(SENDERS) as pool:
            for due, act, organization in plan:
                time.sleep(max(0.0, started + due - time.monotonic()))
                self._futures.append(pool.submit(act, organization, numbers[organization]))

    def _write(self, organization: int, number: str) -> None:
        at = time.time()
        try:
            self._messenger.simulator.say(person_of(organization), number, f"in {time.time_ns()}")
        except ControlError as error:
            self.problems.append(f"the simulator did not take a message: {error}")
        else:
            self.written.append(at)

    def _ask(self, organization: int, _number: str) -> None:
        ask = Ask(organization, person_of(organization))
        self.ledger.add(ask)
        body = {"to": f"+{ask.person}", "type": "text", "text": {"body": ask.text}}
        path, headers = (
            f"/api/v1/organizations/{organization}/messages",
            {"Idempotency-Key": ask.key},
        )
        try:
            answer = self._messenger.call("POST", path, body, headers)
        except UNAVAILABLE as error:
            self.problems.append(f"a request to send failed: {type(error).__name__}: {error}")
            return
        if answer.status == 202:
            ask.id = str(answer.body["id"])
            self.accepted.append((ask.asked_at, answer.seconds))
        else:
            ask.refused = f"{answer.status} {answer.body.get('code')}"
            self.problems.append(f"a request to send was refused: {ask.refused}")

    # --- After a period -------------------------------------------------------------------------

    def seen(self, numbers: Mapping[int, str]) -> Seen:
        """Return what the simulator has seen until now."""
        owners = {number: organization for organization, number in numbers.items()}
        return look(self._messenger.simulator, list(numbers), owners, people_each=1)

    def count(self, start: float, end: float) -> int:
        """Return how many messages of both ways were written from `start` to `end`."""
        asked = [ask.asked_at for ask in self.ledger.all()]
        return sum(start <= at < end for at in (*asked, *self.written))

    def latencies(self, tables: Tables, seen: Seen, start: float, end: float) -> Latencies:
        """Return those of the messages that were written from `start` to `end`."""
        found = Latencies([seconds for at, seconds in self.accepted if start <= at < end])
        rows = {row.id: row for row in tables.messages}
        arrivals = {row["text"]["body"]: row["at"] for got in seen.received.values() for row in got}
        for ask in self.ledger.all():
            if start <= ask.asked_at < end and ask.id in rows and ask.text in arrivals:
                found.to_person.append(arrivals[ask.text] - rows[ask.id].created_at)
        logged = {
            event.whatsapp_id: event.at
            for event in tables.events
            if event.type == "message.received"
        }
        found.to_log += [
            logged[row["id"]] - row["at"]
            for row in seen.sent
            if start <= row["at"] < end and row["id"] in logged
        ]
        return found


Plan = Sequence[tuple[float, Callable[[int, str], None], int]]


def schedule(
    organizations: Mapping[int, str],
    acts: Sequence[Callable[[int, str], None]],
    interval: float,
    seconds: float,
    rng: random.Random,
) -> Plan:
    """Return when each act is due for each organization, in order, in seconds from the start."""
    plan = []
    for organization in organizations:
        for act in acts:
            due = rng.uniform(0, interval)
            while due < seconds:
                plan.append((due, act, organization))
                due += interval
    return sorted(plan, key=lambda one: one[0])


def person_of(organization: int) -> str:
    """Return the number of the person with whom an organization talks."""
    return people_of(organization)[0]
