"""A short run of `make chaos`, and runs that must fail."""

from pathlib import Path
from typing import Any

import pytest

from tests.chaos.accounts import Account
from tests.chaos.assertions import history_gaps
from tests.chaos.injector import Injector, Row
from tests.chaos.run import run
from tests.support.faults import IN_FILES, NOT_IN_FILES

pytestmark = pytest.mark.skipif(not IN_FILES, reason=NOT_IN_FILES)
ORGANIZATIONS, SECONDS, SEED, PACE = 12, 40.0, 20260301, 0.6


def test_connections_reach_the_expected_state_after_random_faults(tmp_path: Path) -> None:
    report = run(tmp_path / "data", ORGANIZATIONS, SECONDS, SEED, PACE)
    print(report)
    assert report.recoveries.all, "a storm that harmed no one"
    assert not report.violations, f"seed {SEED}\n{report}"


def test_unexpected_loss_is_a_violation(tmp_path: Path) -> None:
    def unlink_unrecorded(injector: Injector) -> None:
        for account in injector.accounts:
            injector.product.simulator.unlink(number=account.phone)

    table = [Row("unlinked, and the ledger does not know", unlink_unrecorded)]
    # Without random users, who might disconnect it first.
    report = run(tmp_path / "data", 2, 1, SEED, 2, table, users=0)
    assert any("nothing has unlinked it" in violation for violation in report.violations)
    assert report.recovery_seconds is not None, "people have linked them again"


def test_device_that_a_fault_hides_from_a_disconnect_may_stay_listed() -> None:
    """A login for the logout is refused as from an unknown device, so there is nothing to tell."""
    account = Account(1, "5511970000001")
    account.linked("device:1", account.losses_allowed)
    account.expect_disconnect("a person disconnects it")
    assert account.ignored_devices == set()
    account.allow_loss("fault: failure 406", known_at_whatsapp=True)
    assert account.ignored_devices == {"device:1"}


def test_device_whose_disconnect_is_finished_may_not_stay_listed() -> None:
    account = Account(1, "5511970000001")
    account.linked("device:1", account.losses_allowed)
    account.expect_disconnect("a person disconnects it")
    account.confirm_disconnect()
    account.allow_loss("fault: failure 406", known_at_whatsapp=True)
    assert account.ignored_devices == set()


def line(event: str, before: str, state: str) -> dict[str, Any]:
    return {"at": "", "event": event, "stateBefore": before, "state": state, "reason": event}


def test_missing_event_is_a_gap() -> None:
    events = [
        line("resumed", "reconnecting", "connected"),
        line("link_lost", "connected", "reconnecting"),
        line("linked", "disconnected", "connected"),
    ]
    now = {"state": "connected", "reason": "resumed"}
    assert history_gaps(events, now) == []
    for missing in range(3):
        assert history_gaps([*events[:missing], *events[missing + 1 :]], now)
    assert history_gaps(events, {"state": "reconnecting", "reason": "link_lost"})
    assert history_gaps([], now)
