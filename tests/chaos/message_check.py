"""Messages during a chaos run: the traffic, and the comparison with the simulator at its end."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any, Protocol

from simulator.client import ControlClient, ControlError
from tests.chaos.accounts import Account
from tests.chaos.message_assertions import Result, Seen, compare
from tests.chaos.message_ledger import MessageLedger
from tests.chaos.message_tables import read_tables
from tests.chaos.messages import (
    PEOPLE_PER_ORGANIZATION,
    MessageTraffic,
    Messenger,
    people_of,
)
from tests.support.application import Answer, Application

# From the end of the faults until nothing is missing: a lost ack is waited for for 75 s, and what
# was lost is named by two looks 20 s apart.
SETTLE_SECONDS = 240.0
POLL_SECONDS = 2.0
# What is there twice may come a little later.
STABLE_SECONDS = 4.0
# After the faults, until all that was to be written is written.
WRITE_SECONDS = 300.0

SETTINGS = {
    "MESSAGES_PER_MINUTE": "1000000",
    "NEW_RECIPIENTS_PER_DAY": "1000000",
    "MESSAGE_GAP_SECONDS": "0.01",
    "NEW_RECIPIENT_GAP_SECONDS": "0.02",
    "SEND_TIMEOUT_SECONDS": "4",
    "REPLIES_ONLY_SECONDS": "5",
}
"""No pacing, so that thousands of messages take minutes."""


class CheckedTraffic(Protocol):
    """Traffic that is over: what it asked for, and what went wrong in the driver itself."""

    @property
    def ledger(self) -> MessageLedger: ...

    @property
    def problems(self) -> list[str]: ...


class ApplicationMessenger:
    """The ways to a product in one process tree, which may be down at any time."""

    def __init__(self, application: Application) -> None:
        self._application = application

    @property
    def simulator(self) -> ControlClient:
        try:
            return self._application.simulator
        except (OSError, ValueError, KeyError) as error:
            raise ControlError(0, f"no simulator: {error}") from error

    def call(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> Answer:
        return self._application.request(method, path, body=body, headers=headers)

    def manage(self, *arguments: str) -> str:
        return self._application.manage(*arguments)


class MessageCheck:
    """The messages of a run with these accounts."""

    def __init__(
        self,
        application: Application,
        accounts: list[Account],
        total: int,
        seconds: float,
        seed: float,
    ) -> None:
        self._messenger = ApplicationMessenger(application)
        self._accounts = {account.id: account for account in accounts}
        self.traffic = MessageTraffic(
            self._messenger,
            list(self._accounts),
            lambda organization: self._accounts[organization].phone,
            total,
            total / seconds,
            random.Random(seed),
        )

    def settle(self) -> Result:
        """Wait until the product and the simulator agree, and return the comparison."""
        return settle(self._messenger, self.traffic, self._seen)

    def _seen(self) -> Seen:
        accounts = self._accounts.values()
        owners = {phone: one.id for one in accounts for phone in (*one.former_phones, one.phone)}
        unreadable = {one.id for one in accounts if one.has_unreadable}
        return look(self._messenger.simulator, list(self._accounts), owners, unreadable)


def look(
    simulator: ControlClient,
    organizations: Sequence[int],
    owners: dict[str, int],
    unreadable: Collection[int] = (),
    people_each: int = PEOPLE_PER_ORGANIZATION,
) -> Seen:
    """Return what the simulator has seen until now."""
    people = [
        person for organization in organizations for person in people_of(organization)[:people_each]
    ]
    sent = list(_pages(lambda after: simulator.sent(after=after)))
    received = {
        person: list(_pages(lambda after, of=person: simulator.received(of, after)))  # type: ignore[misc]
        for person in people
    }
    waiting = {
        owners[device["number"]]: int(device["waiting"])
        for device in simulator.devices()
        if device["online"] and device["number"] in owners
    }
    return Seen(sent, received, owners, waiting, unreadable)


def _pages(read: Callable[[int], list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    page = read(0)
    while page:
        yield from page
        page = read(page[-1]["index"])


def settle(
    messenger: Messenger,
    traffic: CheckedTraffic,
    seen: Callable[[], Seen],
    seconds: float = SETTLE_SECONDS,
) -> Result:
    """Compare until nothing is wrong, twice in a row, or until the time is over."""
    deadline = time.monotonic() + seconds
    clean_since: float | None = None
    result = Result(["it was never compared"])
    while (now := time.monotonic()) < deadline:
        with suppress(ControlError):
            at_simulator = seen()
            result = compare(read_tables(messenger.manage), traffic.ledger.all(), at_simulator)
            result.problems += traffic.problems
        if result.problems:
            clean_since = None
        elif clean_since is None:
            clean_since = now
        elif now - clean_since > STABLE_SECONDS:
            break
        time.sleep(POLL_SECONDS)
    return result
