"""A stop in the middle of a burst loses nothing: compared with the simulator."""

from __future__ import annotations

import random
from pathlib import Path

from tests.chaos.message_check import SETTINGS, ApplicationMessenger, look, settle
from tests.chaos.messages import MessageTraffic
from tests.support.application import Application, until
from tests.support.linking import link

TOTAL, PER_SECOND = 160, 40.0
SECONDS = 90.0


def test_stop_in_the_middle_of_a_burst_loses_nothing(tmp_path: Path) -> None:
    with Application(tmp_path / "data", (), **SETTINGS) as application:
        organizations = application.new_organizations("Padaria", "Farmácia")
        numbers = {organization: link(application, organization) for organization in organizations}
        owners = {number: organization for organization, number in numbers.items()}
        messenger = ApplicationMessenger(application)
        traffic = MessageTraffic(
            messenger, organizations, numbers.__getitem__, TOTAL, PER_SECOND, random.Random(1)
        )
        traffic.start()
        until(lambda: len(messenger.simulator.sent()) > TOTAL // 6, SECONDS, "a burst")
        assert application.stop() == 0, application.log_text()[-2000:]
        application.start()
        traffic.join(SECONDS)
        result = settle(
            messenger,
            traffic,
            lambda: look(messenger.simulator, organizations, owners),
            SECONDS,
        )
    print("\n".join(result.report_lines()))
    assert not result.problems, result.problems
    # In an orderly stop nothing is lost or unknown, not even honestly.
    assert not result.counts["in: named as lost"]
    assert not [name for name in result.counts if name.startswith("out: unknown")]
    assert result.counts["out: delivered"] > TOTAL // 6
