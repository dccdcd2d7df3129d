"""Watching all organizations, and timing how they come back."""

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

LOOK_SECONDS = 0.25
# A pairing's process hands its link to a session host, and the old one may close a little later.
TWO_ONLINE_SECONDS = 15.0


@dataclass
class Outage:
    """From when an organization was not connected, and whether a person had to help."""

    begin: float
    by_person: bool = False


@dataclass
class Recoveries:
    """How long organizations took, by the fault that ended last before they were back."""

    by_itself: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    with_person: int = 0

    @property
    def all(self) -> list[float]:
        return [seconds for times in self.by_itself.values() for seconds in times]

    def told(self) -> list[str]:
        """One line for each kind, and one for all."""
        lines = [
            f"  {kind:<22}{len(times):>5}  median {statistics.median(times):6.2f} s"
            f"  worst {max(times):6.2f} s"
            for kind, times in sorted(self.by_itself.items())
        ]
        times = self.all
        median = f"{statistics.median(times):.2f} s" if times else "none"
        worst = f"{max(times):.2f} s" if times else "none"
        return [
            *lines,
            f"came back by themselves: {len(times)}, median {median}, worst {worst}; "
            f"with a person: {self.with_person}",
        ]


class LiveConsumer(threading.Thread):
    """Looks at the database file and at WhatsApp's device list several times a second."""

    def __init__(self, product: Product, accounts: list[Account], log: FaultLog) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.recoveries = Recoveries()
        self.stopping_hosts = 0  # while hosts stand still, WhatsApp takes the dead for living
        self._product, self._accounts, self._log = product, accounts, log
        self._outages: dict[int, Outage] = {}
        self._excuses: dict[int, int] = {}
        self._two_online: dict[str, float] = {}

    def run(self) -> None:
        while not self.over.wait(LOOK_SECONDS):
            try:
                self._look()
            except Exception as error:
                self._product.findings.add(f"the watcher broke: {type(error).__name__}: {error}")

    def _look(self) -> None:
        before = {account.id: account.jid for account in self._accounts}
        begun = time.monotonic()
        try:
            rows = self._product.rows()
        except sqlite3.Error:
            return  # It is locked away; what is cannot be seen.
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
            self._judge(account, before[account.id], state, reason)
            self._count_online(account, online[account.phone])
            self._time(account, state == CONNECTED and bool(online[account.phone]), begun)

    def _judge(self, account: Account, jid: str, state: str, reason: str) -> None:
        """A linked organization that nothing has unlinked needs no person."""
        linked = jid and jid == account.jid
        if linked and state == "action_needed" and reason not in account.allowed:
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

    def _time(self, account: Account, up: bool, now: float) -> None:
        excused = self._excuses.get(account.id) != account.excuses
        self._excuses[account.id] = account.excuses
        outage = self._outages.get(account.id)
        if not up:
            outage = self._outages.setdefault(account.id, Outage(now))
            outage.by_person |= excused or not account.jid
        elif outage is not None:
            del self._outages[account.id]
            if outage.by_person or excused:
                self.recoveries.with_person += 1
                return
            last = self._log.last_before(account.id, now)
            kind, end = last or ("nothing", outage.begin)
            since = max(outage.begin, end)
            self.recoveries.by_itself[kind].append(max(0.0, now - since))
