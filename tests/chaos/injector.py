"""Inject the faults of a table in a seeded random order."""

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
from tests.chaos.log import UNTIL_ENDED, FaultLog
from tests.chaos.monitor import ConnectionMonitor
from tests.chaos.product import Product
from tests.support.faults import Fault
from tests.support.faults.whatsapp import WhatsAppFault


@dataclass(frozen=True)
class Row:
    """A fault, and how often it comes in one round of the table."""

    name: str
    inject: Callable[[Injector], None]
    times: int = 1


class Injector:
    """Injects the rows of the table, in random order and into random organizations."""

    def __init__(
        self,
        product: Product,
        accounts: list[Account],
        log: FaultLog,
        monitor: ConnectionMonitor,
        rng: random.Random,
        table: Sequence[Row],
    ) -> None:
        self.product, self.accounts, self.log, self.monitor = product, accounts, log, monitor
        self.rng, self._table = rng, table
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="fault")
        self._background: set[Future[None]] = set()

    def run(self, seconds: float, pace: float) -> None:
        """Inject faults for `seconds`, one every `pace` seconds on average."""
        end_time = time.monotonic() + seconds
        while True:
            rows = [row for row in self._table for _ in range(row.times)]
            self.rng.shuffle(rows)
            for row in rows:
                if time.monotonic() > end_time:
                    return
                with suppress(ControlError):  # Another fault has stopped the simulator.
                    row.inject(self)
                time.sleep(self.rng.uniform(0.2, 1.8) * pace)

    def end(self) -> None:
        """End all faults."""
        self.wait_for_background()
        self._pool.shutdown()
        self.product.simulator.clear_faults()
        self.log.end_all()

    def wait_for_background(self) -> None:
        """Wait for the faults in the background, such as a stopped host."""
        wait(self._background)
        for future in self._background:
            if error := future.exception():
                self.product.findings.add(f"a fault failed: {type(error).__name__}: {error}")
        self._background.clear()

    def run_for(self, fault: Fault, seconds: float) -> None:
        """Start a fault and end it after `seconds`, in the background."""
        self.in_background(partial(self._run_for, fault, seconds))

    def _run_for(self, fault: Fault, seconds: float) -> None:
        with fault:
            injected = self.log.add(fault.name, seconds=UNTIL_ENDED)
            time.sleep(seconds)
        injected.end = time.monotonic()

    def in_background(self, inject: Callable[[], None]) -> None:
        self._background.add(self._pool.submit(inject))

    def arm(self, kind: str, account: Account | None = None, **params: Any) -> None:
        """Start a fault of WhatsApp for one organization or all. It ends by itself."""
        number = account.phone if account else ""
        WhatsAppFault(self.product.simulator, kind, number=number, **params).start()

    def choose_accounts(self) -> list[Account]:
        """Return a few random organizations, sometimes all."""
        if self.rng.random() < 0.08:
            return list(self.accounts)
        return self.rng.sample(self.accounts, min(len(self.accounts), self.rng.randint(1, 4)))

    def seconds(self, shortest: float = 2, longest: float = 6) -> float:
        """Return a random duration."""
        return self.rng.uniform(shortest, longest)

    def drop(self, choose_accounts: list[Account]) -> None:
        """Drop connections, so that faults of logins take effect."""
        for account in choose_accounts:
            self.product.simulator.drop(number=account.phone)
