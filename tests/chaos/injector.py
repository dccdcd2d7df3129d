"""Who injects the faults of the table, in an order that a seed decides."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from simulator.client import ControlError
from tests.chaos.accounts import Account
from tests.chaos.log import NOT_YET, FaultLog
from tests.chaos.product import Product
from tests.chaos.watching import LiveConsumer
from tests.support.faults import Fault
from tests.support.faults.whatsapp import WhatsAppFault


@dataclass(frozen=True)
class Row:
    """A kind of fault: what injects it, and how often it comes in one round of the table."""

    name: str
    inject: Callable[[Injector], None]
    times: int = 1


class Injector:
    """Injects the table's rows in an order and with a choice of victims that a seed decides."""

    def __init__(
        self,
        product: Product,
        accounts: list[Account],
        log: FaultLog,
        watcher: LiveConsumer,
        chance: random.Random,
        table: Sequence[Row],
    ) -> None:
        self.product, self.accounts, self.log, self.watcher = product, accounts, log, watcher
        self.chance, self._table = chance, table
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="fault")
        self._lasting: set[Future[None]] = set()

    def run(self, seconds: float, pace: float) -> None:
        """For so many seconds, one fault every `pace` seconds on average."""
        over = time.monotonic() + seconds
        while True:
            rows = [row for row in self._table for _ in range(row.times)]
            self.chance.shuffle(rows)
            for row in rows:
                if time.monotonic() > over:
                    return
                with suppress(ControlError):  # The simulator is away: another fault's doing.
                    row.inject(self)
                time.sleep(self.chance.uniform(0.2, 1.8) * pace)

    def end(self) -> None:
        """Every fault is over."""
        self.settle()
        self._pool.shutdown()
        self.product.simulator.clear_faults()
        self.log.cut()

    def settle(self) -> None:
        """Wait for the end of those that last, such as a host that stands still."""
        wait(self._lasting)
        for future in self._lasting:
            if error := future.exception():
                self.product.findings.add(f"a fault failed: {type(error).__name__}: {error}")
        self._lasting.clear()

    def last(self, fault: Fault, seconds: float) -> None:
        """Start a fault and end it after so long, in the background: others come on top."""
        self.in_background(partial(self._last, fault, seconds))

    def _last(self, fault: Fault, seconds: float) -> None:
        with fault:
            injected = self.log.add(fault.name, lasts=NOT_YET)
            time.sleep(seconds)
        injected.end = time.monotonic()

    def in_background(self, inject: Callable[[], None]) -> None:
        self._lasting.add(self._pool.submit(inject))

    def arm(self, kind: str, account: Account | None = None, **params: Any) -> None:
        """A fault of WhatsApp, for one organization or for all; it ends by itself."""
        number = account.phone if account else ""
        WhatsAppFault(self.product.simulator, kind, number=number, **params).start()

    def victims(self) -> list[Account]:
        """A few organizations; now and then all of them."""
        if self.chance.random() < 0.08:
            return list(self.accounts)
        return self.chance.sample(self.accounts, min(len(self.accounts), self.chance.randint(1, 4)))

    def seconds(self, shortest: float = 2, longest: float = 6) -> float:
        """How long a fault lasts."""
        return self.chance.uniform(shortest, longest)

    def drop(self, victims: list[Account]) -> None:
        """Cut their connections, so that what waits for a login bites."""
        for account in victims:
            self.product.simulator.drop(number=account.phone)
