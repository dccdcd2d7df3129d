"""A short run of `make chaos-messages`: nothing lost, nothing twice, nothing claimed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.faults import kill_product, restart_product, unlink
from tests.chaos.injector import Row
from tests.chaos.message_faults import RELINK, SOON
from tests.chaos.run import run
from tests.support.faults import IN_FILES, NOT_IN_FILES

pytestmark = pytest.mark.skipif(not IN_FILES, reason=NOT_IN_FILES)
ORGANIZATIONS, SECONDS, SEED, PACE, MESSAGES = 4, 15.0, 20261127, 0.7, 150
UNLINK = Row("unlinked by the phone", unlink)
TABLE = [*SOON, RELINK, UNLINK, Row("killed", kill_product), Row("restarted", restart_product)]


def test_messages_are_neither_lost_nor_doubled_by_random_faults(tmp_path: Path) -> None:
    data = tmp_path / "data"
    report = run(data, ORGANIZATIONS, SECONDS, SEED, PACE, TABLE, users=1, messages=MESSAGES)
    print(report)
    assert any("in: received" in line for line in report.messages), report
    assert report.faults[UNLINK.name], f"seed {SEED} injects it too late"
    assert not report.violations, f"seed {SEED}\n{report}"
