"""Measure the ways of messages: from a person to a receiver of webhooks, and from the API to them.

Each organization writes with one person, who has written before. The times of WhatsApp's side are
those that the simulator notes.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from bench.linked import TIMEOUT_SECONDS, Linked
from bench.product import Product, Production
from bench.receiver import Receiver
from bench.service import Service
from bench.waiting import until

ALL_SECONDS = 300.0
# At random, so that no pause of a service keeps step with it.
PAUSES = (0.2, 1.0)


FORWARDING = {
    "MESSAGES_PER_MINUTE": "1000000",
    "NEW_RECIPIENTS_PER_DAY": "1000000",
    "MESSAGE_GAP_SECONDS": "0.001",
    "NEW_RECIPIENT_GAP_SECONDS": "0.001",
    "WEBHOOKS_ALLOW_PRIVATE": "true",
}


class ForwardingProduct(Product):
    """This product as it is shipped, but without pacing, and with a receiver on loopback."""

    def settings(self) -> dict[str, str]:
        return {**super().settings(), **FORWARDING}


class ForwardingProduction(Production):
    """The same with the processes of a production."""

    def settings(self) -> dict[str, str]:
        return {**super().settings(), **FORWARDING}


@dataclass(frozen=True)
class Chat:
    """An organization, its number, and the number of the person who writes with it."""

    organization: int
    number: str
    person: str


@dataclass(frozen=True)
class Sent:
    """A message that the API accepted after so many milliseconds. `at`: when it was requested."""

    chat: Chat
    text: str
    at: float
    accepted: float


@dataclass
class Times:
    """Milliseconds of messages: in, out until the answer, and out until the person has them."""

    received: list[float] = field(default_factory=list)
    accepted: list[float] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)


class Talking(Linked):
    """A service with linked organizations, whose received messages go to a receiver."""

    def __init__(self, service: Service, receiver: Receiver, quiet_seconds: float) -> None:
        super().__init__(service, quiet_seconds)
        self._receiver = receiver
        self.chats: list[Chat] = []

    def talk(self, count: int) -> None:
        """Link up to `count` organizations, and exchange a first message in each."""
        self.link(count - self.size)
        for organization in self.organizations[len(self.chats) :]:
            number = str(self.service.api("GET", organization, "status").body["number"])
            chat = Chat(organization, number, str(self.service.simulator.save_person()["number"]))
            body = {"url": self._receiver.url, "types": ["message.received"]}
            path = f"/api/v1/organizations/{organization}/webhooks"
            # Only an owner may: the token of an organization is none.
            answer = self.service.request("POST", path, body=body)
            assert answer.status == 201, answer
            self.chats.append(chat)
            self.wait_received(chat, self.write(chat))
            self.wait_arrived(chat, self.send(chat)[1])
        self.settle()

    def write(self, chat: Chat) -> str:
        """Let the person write. Return the text."""
        text = secrets.token_hex(8)
        self.service.simulator.say(chat.person, chat.number, text)
        return text

    def wait_received(self, chat: Chat, text: str) -> float:
        """Return the milliseconds from WhatsApp's delivery to the arrival at the receiver."""
        at = self._receiver.wait_for(text, TIMEOUT_SECONDS)
        rows = self.service.simulator.sent(chat.number)
        (row,) = (row for row in rows if row["text"]["body"] == text)
        return 1000 * (at - float(row["delivered_at"]))

    def send(self, chat: Chat) -> tuple[float, str, float]:
        """Send a message over the API. Return the time, the text and the answer's milliseconds."""
        text, started = secrets.token_hex(8), time.time()
        body = {"to": f"+{chat.person}", "type": "text", "text": {"body": text}}
        path = f"/api/v1/organizations/{chat.organization}/messages"
        token = self.service.tokens[chat.organization]

        def accepted() -> bool:
            answer = self.service.request("POST", path, TIMEOUT_SECONDS, body, token)
            # As its documentation says: a service that is busy is asked again.
            assert answer.status in (202, 503), answer
            return answer.status == 202

        until(accepted, TIMEOUT_SECONDS, "a message that was accepted", longest_pause=1.0)
        return started, text, 1000 * (time.time() - started)

    def wait_arrived(self, chat: Chat, text: str) -> float:
        """Return when the person got a text."""

        def look() -> float | None:
            rows = self.service.simulator.received(chat.person)
            return next((float(row["at"]) for row in rows if row["text"]["body"] == text), None)

        return float(until(look, TIMEOUT_SECONDS, "a message at its recipient"))

    def wait_until_all_arrived(self, written: list[tuple[Chat, str]], sent: list[Sent]) -> None:
        """Wait until all messages are at the receiver and at their recipients."""
        simulator = self.service.simulator
        for _, text in written:
            self._receiver.wait_for(text, ALL_SECONDS)
        missing: dict[str, set[str]] = {}
        for one in sent:
            missing.setdefault(one.chat.person, set()).add(one.text)

        def has_all(person: str) -> bool:
            return missing[person] <= {row["text"]["body"] for row in simulator.received(person)}

        for person in missing:
            until(partial(has_all, person), ALL_SECONDS, "all messages at a recipient")


def one_at_a_time(talking: Talking, count: int) -> Times:
    """Let a person write and the organization send in turns, each after the one before."""
    times, rng, chat = Times(), random.Random(1), talking.chats[0]
    for _ in range(count):
        time.sleep(rng.uniform(*PAUSES))
        times.received.append(talking.wait_received(chat, talking.write(chat)))
        time.sleep(rng.uniform(*PAUSES))
        started, text, accepted = talking.send(chat)
        times.accepted.append(accepted)
        times.arrived.append(1000 * (talking.wait_arrived(chat, text) - started))
    return times


def steadily(talking: Talking, seconds: float, rate: float) -> Times:
    """Let all write and send at once, each so many a second, whatever has not arrived yet."""
    written, sent = write_and_send(talking, seconds, rate)
    return Times(
        received=[talking.wait_received(*one) for one in written],
        accepted=[one.accepted for one in sent],
        arrived=[1000 * (talking.wait_arrived(one.chat, one.text) - one.at) for one in sent],
    )


def write_and_send(
    talking: Talking, seconds: float, rate: float
) -> tuple[list[tuple[Chat, str]], list[Sent]]:
    """Let all write and send at once. Return what was written and what was sent."""
    rng = random.Random(1)
    written: list[tuple[Chat, str]] = []
    sent: list[Sent] = []
    errors: list[Exception] = []

    def write(chat: Chat) -> None:
        written.append((chat, talking.write(chat)))

    def send(chat: Chat) -> None:
        at, text, accepted = talking.send(chat)
        sent.append(Sent(chat, text, at, accepted))

    def run(act: Callable[[Chat], None], chat: Chat, moments: list[float]) -> None:
        try:
            for _ in paced(moments):
                act(chat)
        except Exception as error:
            errors.append(error)

    threads = []
    for chat in talking.chats:
        for act in (write, send):
            moments = sorted(rng.uniform(0, seconds) for _ in range(max(1, round(seconds * rate))))
            threads.append(threading.Thread(target=run, args=(act, chat, moments), daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + TIMEOUT_SECONDS)
    if errors:
        raise errors[0]
    return written, sent


def paced(moments: list[float]) -> Iterator[None]:
    """Yield at each of these times from now on, or as soon as possible afterwards."""
    started = time.monotonic()
    for moment in moments:
        time.sleep(max(0.0, started + moment - time.monotonic()))
        yield
