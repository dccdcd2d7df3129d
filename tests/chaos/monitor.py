"""Monitor all organizations, and measure their recoveries."""

from __future__ import annotations

import sqlite3
import statistics
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

from simulator.client import ControlError
from tests.chaos.accounts import CONNECTED, Account
from tests.chaos.log import FaultLog
from tests.chaos.product import Product

POLL_SECONDS = 0.25
# A pairing host may close a little later than the session host connects.
TWO_ONLINE_SECONDS = 15.0


@dataclass
class Outage:
    """The begin of an outage, and whether it needed a user."""

    begin: float
    needed_user: bool = False


@dataclass
class Recoveries:
    """Durations of recoveries, by the last fault before them."""

    automatic: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    with_user: int = 0

    @property
    def all(self) -> list[float]:
        return [seconds for times in self.automatic.values() for seconds in times]

    def report_lines(self) -> list[str]:
        """Return a line for each kind, and one for all."""
        lines = [
            f"  {kind:<22}{len(times):>5}  median {statistics.median(times):6.2f} s"
            f"  worst {max(times):6.2f} s"
            for kind, times in sorted(self.automatic.items())
        ]
        times = self.all
        median = f"{statistics.median(times):.2f} s" if times else "none"
        worst = f"{max(times):.2f} s" if times else "none"
        return [
            *lines,
            f"came back by themselves: {len(times)}, median {median}, worst {worst}; "
            f"with a person: {self.with_user}",
        ]


class ConnectionMonitor(threading.Thread):
    """Polls the database file and WhatsApp's device list several times a second."""

    def __init__(self, product: Product, accounts: list[Account], log: FaultLog) -> None:
        super().__init__(daemon=True)
        self.stopped = threading.Event()
        self.recoveries = Recoveries()
        self.stopping_hosts = 0  # WhatsApp counts stopped hosts as online
        self._product, self._accounts, self._log = product, accounts, log
        self._outages: dict[int, Outage] = {}
        self._losses_allowed: dict[int, int] = {}
        self._two_online: dict[str, float] = {}

    def run(self) -> None:
        while not self.stopped.wait(POLL_SECONDS):
            try:
                self._poll()
            except Exception as error:
                self._product.findings.add(f"the watcher broke: {type(error).__name__}: {error}")

    def _poll(self) -> None:
        before = {account.id: account.jid for account in self._accounts}
        started = time.monotonic()
        try:
            rows = self._product.rows()
        except sqlite3.Error:
            return  # Another fault blocks the database.
        try:
            devices = self._product.simulator.devices()
        except ControlError:
            devices = []
        online: dict[str, set[str]] = defaultdict(set)
        for device in devices:
            if device["online"]:
                online[device["number"]].add(device["jid"])
        for account in self._accounts:
            state, reason = rows.get(account.id, ("", ""))
            self._record_problems(account, before[account.id], state, reason)
            self._count_online(account, online[account.phone])
            self._measure_outage(
                account, state == CONNECTED and bool(online[account.phone]), started
            )

    def _record_problems(self, account: Account, jid: str, state: str, reason: str) -> None:
        """Record a linked organization that needs a user without a reason."""
        linked = jid and jid == account.jid
        if linked and state == "action_needed" and reason not in account.allowed_reasons:
            self._product.findings.add(
                f"it needs a person ({reason}), though it is linked as {jid} and nothing has "
                "unlinked it",
                account,
            )

    def _count_online(self, account: Account, jids: set[str]) -> None:
        now = time.monotonic()
        if len(jids) < 2 or self.stopping_hosts:
            self._two_online.pop(account.phone, None)
        elif now - self._two_online.setdefault(account.phone, now) > TWO_ONLINE_SECONDS:
            self._product.findings.add(
                f"{sorted(jids)} are online at once",
                account,
            )

    def _measure_outage(self, account: Account, is_up: bool, now: float) -> None:
        loss_allowed = self._losses_allowed.get(account.id) != account.losses_allowed
        self._losses_allowed[account.id] = account.losses_allowed
        outage = self._outages.get(account.id)
        if not is_up:
            outage = self._outages.setdefault(account.id, Outage(now))
            outage.needed_user |= loss_allowed or not account.jid
        elif outage is not None:
            del self._outages[account.id]
            if outage.needed_user or loss_allowed:
                self.recoveries.with_user += 1
                return
            last = self._log.last_before(account.id, now)
            kind, end = last or ("nothing", outage.begin)
            since = max(outage.begin, end)
            self.recoveries.automatic[kind].append(max(0.0, now - since))
