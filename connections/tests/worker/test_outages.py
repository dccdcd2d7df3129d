"""The log of outages, and the delays between retries."""

from __future__ import annotations

import logging
from itertools import islice

import pytest

from connections.outages import OutageLog, delays

logger = logging.getLogger(__name__)


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    return [(record.levelname, record.message, vars(record)["why"]) for record in caplog.records]


def test_outage_is_logged_when_it_begins_and_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outage = OutageLog(logger, "it is away", "it is back")
    outage.record_success(why="well")
    for why in ("first", "second"):
        outage.record_failure(why=why)
        assert outage.ongoing
    outage.record_success(why="well")
    outage.record_success(why="well")
    assert not outage.ongoing
    assert lines(caplog) == [("ERROR", "it is away", "first"), ("WARNING", "it is back", "well")]


def test_each_outage_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    outage = OutageLog(logger, "it is away", level=logging.WARNING)
    for why in ("one", "two"):
        outage.record_failure(why=why)
        outage.record_failure(why="again")
        outage.record_success()
    assert lines(caplog) == [("WARNING", "it is away", "one"), ("WARNING", "it is away", "two")]


def test_delays_double_up_to_the_longest() -> None:
    assert list(islice(delays(0.5, 3.0), 5)) == [0.5, 1.0, 2.0, 3.0, 3.0]
