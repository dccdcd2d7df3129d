"""One run: link everyone, break things, let go, and look."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from simulator.client import ControlError
from tests.chaos import verdict
from tests.chaos.accounts import CONNECTED, Account
from tests.chaos.faults import TABLE
from tests.chaos.injector import Injector, Row
from tests.chaos.log import FaultLog
from tests.chaos.people import Crowd, tend
from tests.chaos.product import Finding, Findings, NoAnswer, Product
from tests.chaos.watching import LiveConsumer, Recoveries
from tests.support.application import Application

LINK_SECONDS = 180.0
# From the end of the faults until all is as people want it: a link that was dropped again and
# again waits up to five minutes, and a code that someone must scan may come after that.
SETTLE_SECONDS = 360.0
# A fresh link moves from its pairing's process to a session host when all seems well already.
STAYS_SECONDS = 3.0
PEOPLE = 4


@dataclass
class Report:
    """What a run found."""

    seed: int
    organizations: int
    seconds: float
    faults: Counter[str]
    recoveries: Recoveries
    settled: float | None
    replaced: int
    uncertain: int
    stops: list[tuple[int | None, float]]
    errors: Counter[str]
    violations: list[str]

    def __str__(self) -> str:
        injected = [f"  {kind:<22}{count:>5}" for kind, count in sorted(self.faults.items())]
        settled = f"{self.settled:.1f} s" if self.settled is not None else "NEVER"
        wrong = [f"VIOLATION {n}: {text}" for n, text in enumerate(self.violations, 1)]
        return "\n".join(
            [
                f"chaos: {self.organizations} organizations, {self.seconds:.0f} s of faults, "
                f"seed {self.seed}",
                f"faults injected: {self.faults.total()}",
                *injected,
                "recoveries, by the fault that ended last before, from its end:",
                *self.recoveries.told(),
                f"after the faults, all was as people wanted within: {settled} "
                f"(at most {SETTLE_SECONDS:.0f} s)",
                f"logins that found their device live elsewhere: {self.replaced}",
                f"organizations with a scan that broke off: {self.uncertain}",
                "clean stops, exit status and seconds: "
                + (", ".join(f"{status} in {took:.1f}" for status, took in self.stops) or "none"),
                "errors in the product's log:",
                *(f"  {count:>5} {text}" for text, count in self.errors.most_common(12)),
                *wrong,
                f"{len(wrong)} violations" if wrong else "no violation",
            ]
        )


def run(
    data_dir: Path,
    organizations: int,
    seconds: float,
    seed: int,
    pace: float,
    table: Sequence[Row] = TABLE,
    people: int = PEOPLE,
) -> Report:
    """A run on a fresh data folder. `pace`: seconds between faults, on average."""
    chance = random.Random(seed)
    findings, log = Findings(), FaultLog()
    with _application(data_dir) as application:
        product = Product(application, findings)
        names = [f"Chaos {number}" for number in range(organizations)]
        ids = application.new_organizations(*names)
        accounts = [Account(pk, f"5511970{n:06d}") for n, pk in enumerate(ids, 1)]
        for account in accounts:
            account.desired = CONNECTED
        if _until_all_is_well(product, accounts, LINK_SECONDS) is None:
            raise AssertionError(f"not linked to begin with: {verdict.present(product, accounts)}")

        watcher = LiveConsumer(product, accounts, log)
        watcher.start()
        injector = Injector(product, accounts, log, watcher, chance, table)
        crowd = [Crowd(product, accounts, random.Random(chance.random())) for _ in range(people)]
        _trouble(injector, crowd, seconds, pace)
        settled = _until_all_is_well(product, accounts, SETTLE_SECONDS)
        watcher.over.set()
        watcher.join()
        _judge(product, accounts, settled is not None)
        product.replaced += product.simulator.stats().get("replaced", 0)
        violations = [_told(product, finding) for finding in findings.all()]
    return Report(
        seed,
        organizations,
        seconds,
        log.count(),
        watcher.recoveries,
        settled,
        product.replaced,
        sum(account.uncertain for account in accounts),
        product.stops,
        product.errors(),
        violations,
    )


def _application(data_dir: Path) -> Application:
    return Application(
        data_dir,
        RECONNECTS_PER_ORGANIZATION="100000",
        RECONNECTS_PER_CALLER="1000000",
        OUTDATED_RETRY_SECONDS="2",
        # So few that there are several hosts to harm.
        SESSIONS_PER_HOST="8",
    )


def _trouble(injector: Injector, people: list[Crowd], seconds: float, pace: float) -> None:
    """Faults and people, for a time; then neither."""
    for person in people:
        person.start()
    try:
        injector.run(seconds, pace)
    finally:
        injector.end()
        for person in people:
            person.over.set()
        for person in people:
            person.join()


def _until_all_is_well(product: Product, accounts: list[Account], seconds: float) -> float | None:
    """People do as the product says, until all is as they want, and stays so.

    Returns after how long it was, or None.
    """
    begun = time.monotonic()
    wrong = {account.id for account in accounts}
    well_since: float | None = None
    with ThreadPoolExecutor(PEOPLE) as people:
        while (now := time.monotonic()) - begun < seconds:
            busy = [account for account in accounts if account.id in wrong]
            # A request may wait for seconds; the next round asks again.
            list(people.map(lambda account: _tended(product, account), busy))
            with suppress(ControlError, NoAnswer):
                wrong = set(verdict.present(product, accounts))
            if wrong:
                well_since = None
            elif well_since is None:
                well_since = now
            elif now - well_since > STAYS_SECONDS:
                return well_since - begun
            time.sleep(0.5)
    return None


def _tended(product: Product, account: Account) -> None:
    try:
        tend(product, account)
    except NoAnswer as error:
        product.findings.add(str(error), notes=product.log_end())


def _judge(product: Product, accounts: list[Account], well: bool) -> None:
    """Write down what is wrong for good: now, at WhatsApp, in the history."""
    wrong = {} if well else verdict.present(product, accounts)
    left = verdict.left_over(product, accounts)
    for account in accounts:
        lines, status = verdict.history(product, account), product.status(account.id)
        gaps = verdict.history_gaps(lines, status)
        for what in (*wrong.get(account.id, ()), *left.get(account.id, ()), *gaps):
            product.findings.add(what, account)


def _told(product: Product, finding: Finding) -> str:
    """A violation, with what the driver did and what the product's history says of that time."""
    if finding.account is None:
        return f"{finding.what}\n{finding.notes}"
    history = verdict.happened(product, finding.account, finding.at + 1)
    seen = time.strftime("%H:%M:%S", time.gmtime(finding.at))
    return (
        f"{finding.what} (seen {seen})\n  the driver:\n{finding.notes}\n  its history:\n{history}"
    )
