"""A run: link all organizations, inject faults, end them, and check the result."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from simulator.client import ControlError
from tests.chaos import assertions, message_check
from tests.chaos.accounts import CONNECTED, Account
from tests.chaos.faults import TABLE
from tests.chaos.injector import Injector, Row
from tests.chaos.log import FaultLog
from tests.chaos.message_check import WRITE_SECONDS, MessageCheck
from tests.chaos.monitor import ConnectionMonitor, Recoveries
from tests.chaos.product import Finding, Findings, NoAnswer, Product
from tests.chaos.users import RandomUser, act_as_expected
from tests.support.application import Application

LINK_SECONDS = 180.0
# From the end of the faults to the expected state: an unstable link waits up to five minutes, and
# may need a scan after that.
SETTLE_SECONDS = 360.0
# The state must be stable, because a new link still moves to a session host.
STABLE_SECONDS = 3.0
USERS = 4


@dataclass
class Report:
    """The result of a run."""

    seed: int
    organizations: int
    seconds: float
    faults: Counter[str]
    recoveries: Recoveries
    recovery_seconds: float | None
    replaced: int
    has_unclear_scan: int
    stops: list[tuple[int | None, float]]
    error_counts: Counter[str]
    violations: list[str]
    messages: list[str] = field(default_factory=list)  # lines about them

    def __str__(self) -> str:
        injected = [f"  {kind:<22}{count:>5}" for kind, count in sorted(self.faults.items())]
        recovery_seconds = (
            f"{self.recovery_seconds:.1f} s" if self.recovery_seconds is not None else "NEVER"
        )
        problems = [f"VIOLATION {n}: {text}" for n, text in enumerate(self.violations, 1)]
        return "\n".join(
            [
                f"chaos: {self.organizations} organizations, {self.seconds:.0f} s of faults, "
                f"seed {self.seed}",
                f"faults injected: {self.faults.total()}",
                *injected,
                "recoveries, by the fault that ended last before, from its end:",
                *self.recoveries.report_lines(),
                f"after the faults, all was as people wanted within: {recovery_seconds} "
                f"(at most {SETTLE_SECONDS:.0f} s)",
                f"logins that found their device live elsewhere: {self.replaced}",
                f"organizations with a scan that broke off: {self.has_unclear_scan}",
                "clean stops, exit status and seconds: "
                + (", ".join(f"{status} in {took:.1f}" for status, took in self.stops) or "none"),
                "errors in the product's log:",
                *(f"  {count:>5} {text}" for text, count in self.error_counts.most_common(12)),
                *self.messages,
                *problems,
                f"{len(problems)} violations" if problems else "no violation",
            ]
        )


def run(
    data_dir: Path,
    organizations: int,
    seconds: float,
    seed: int,
    pace: float,
    table: Sequence[Row] = TABLE,
    users: int = USERS,
    messages: int = 0,
    most_unknown: float = 1.0,
) -> Report:
    """Run on an empty data folder. `pace`: seconds between faults, on average.

    `messages`: how many are written meanwhile, in both directions together. `most_unknown`: the
    part of those that software sends whose outcome may be unknown at the end.
    """
    rng = random.Random(seed)
    findings, log = Findings(), FaultLog()
    with _application(data_dir) as application:
        product = Product(application, findings)
        names = [f"Chaos {number}" for number in range(organizations)]
        ids = application.new_organizations(*names)
        accounts = [Account(pk, f"5511970{n:06d}") for n, pk in enumerate(ids, 1)]
        for account in accounts:
            account.desired = CONNECTED
        if _wait_until_expected(product, accounts, LINK_SECONDS) is None:
            raise AssertionError(
                f"not linked to begin with: {assertions.problems_now(product, accounts)}"
            )

        monitor = ConnectionMonitor(product, accounts, log)
        monitor.start()
        injector = Injector(product, accounts, log, monitor, rng, table)
        crowd = [RandomUser(product, accounts, random.Random(rng.random())) for _ in range(users)]
        check = MessageCheck(application, accounts, messages, seconds, rng.random())
        if messages:
            check.traffic.start()
        _inject_faults(injector, crowd, seconds, pace)
        if messages:
            check.traffic.join(WRITE_SECONDS)
        recovery_seconds = _wait_until_expected(product, accounts, SETTLE_SECONDS)
        message_lines = _check_messages(product, check, most_unknown) if messages else []
        monitor.stopped.set()
        monitor.join()
        _record_problems(product, accounts, recovery_seconds is not None)
        product.replaced += product.simulator.stats().get("replaced", 0)
        violations = [_format_finding(product, finding) for finding in findings.all()]
    return Report(
        seed,
        organizations,
        seconds,
        log.count(),
        monitor.recoveries,
        recovery_seconds,
        product.replaced,
        sum(account.has_unclear_scan for account in accounts),
        product.stops,
        product.error_counts(),
        violations,
        message_lines,
    )


def _check_messages(product: Product, check: MessageCheck, most_unknown: float) -> list[str]:
    """Record what is wrong with the messages. Return the lines about them for the report."""
    result = check.settle()
    if result.unknown_part > most_unknown:
        product.findings.add(f"{result.unknown_part:.1%} of the messages are unknown")
    for problem in result.problems:
        product.findings.add(problem)
    return result.report_lines()


def _application(data_dir: Path) -> Application:
    return Application(
        data_dir,
        (),
        **message_check.SETTINGS,
        RECONNECTS_PER_ORGANIZATION="100000",
        RECONNECTS_PER_CALLER="1000000",
        OUTDATED_RETRY_SECONDS="2",
        # Few, so that there are several hosts.
        SESSIONS_PER_HOST="8",
    )


def _inject_faults(
    injector: Injector, users: list[RandomUser], seconds: float, pace: float
) -> None:
    """Run the faults and the users for a while, then stop both."""
    for user in users:
        user.start()
    try:
        injector.run(seconds, pace)
    finally:
        injector.end()
        for user in users:
            user.stopped.set()
        for user in users:
            user.join()


def _wait_until_expected(product: Product, accounts: list[Account], seconds: float) -> float | None:
    """Act as users until all organizations are as expected, and stay so.

    Returns the seconds, or None at the timeout.
    """
    started = time.monotonic()
    problems = {account.id for account in accounts}
    expected_since: float | None = None
    with ThreadPoolExecutor(USERS) as users:
        while (now := time.monotonic()) - started < seconds:
            busy = [account for account in accounts if account.id in problems]
            # Requests may wait for seconds, so run them in parallel.
            list(users.map(lambda account: _act(product, account), busy))
            with suppress(ControlError, NoAnswer):
                problems = set(assertions.problems_now(product, accounts))
            if problems:
                expected_since = None
            elif expected_since is None:
                expected_since = now
            elif now - expected_since > STABLE_SECONDS:
                return expected_since - started
            time.sleep(0.5)
    return None


def _act(product: Product, account: Account) -> None:
    try:
        act_as_expected(product, account)
    except NoAnswer as error:
        product.findings.add(str(error), notes=product.log_end())


def _record_problems(product: Product, accounts: list[Account], as_expected: bool) -> None:
    """Record final problems of the state, the devices and the history."""
    problems = {} if as_expected else assertions.problems_now(product, accounts)
    left = assertions.leftover_devices(product, accounts)
    for account in accounts:
        lines, status = assertions.history(product, account), product.status(account.id)
        gaps = assertions.history_gaps(lines, status)
        for what in (*problems.get(account.id, ()), *left.get(account.id, ()), *gaps):
            product.findings.add(what, account)


def _format_finding(product: Product, finding: Finding) -> str:
    """Return a violation with the driver's notes and the product's history."""
    if finding.account is None:
        return f"{finding.what}\n{finding.notes}"
    history = assertions.format_history(product, finding.account, finding.at + 1)
    seen_at = time.strftime("%H:%M:%S", time.gmtime(finding.at))
    notes = f"  the driver:\n{finding.notes}\n  its history:\n{history}"
    return f"{finding.what} (seen {seen_at})\n{notes}"
