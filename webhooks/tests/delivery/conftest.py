"""Short waits for tests of deliveries."""

from datetime import timedelta

import pytest

from webhooks import schedule
from webhooks.worker import polling


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again after thousandths of a second, and look often for what is due."""
    waits = [delay / 1_000_000 for delay in schedule.DELAYS]
    monkeypatch.setattr(schedule, "DELAYS", tuple(max(wait, timedelta(0)) for wait in waits))
    monkeypatch.setattr(polling, "POLL_SECONDS", 0.05)
