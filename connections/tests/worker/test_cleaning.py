"""What is kept no longer is deleted of each organization, whatever another one has stored."""

from __future__ import annotations

from unittest.mock import Mock, call

import pytest

from connections.tests.support.skipping_time import run_skipping_time
from connections.tests.support.traffic import traffic_context
from connections.worker.message_port import MessagePort
from connections.worker.traffic.traffic import MessageTraffic

pytestmark = pytest.mark.sqlite_only


def test_error_of_one_organization_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    port = Mock(MessagePort)
    port.organizations_to_clean.return_value = [1, 2, 3]
    port.clean.side_effect = [ValueError, None, None]

    async def clean() -> None:
        traffic = MessageTraffic(traffic_context(port))
        await traffic.background_tasks["delete old messages"]()

    run_skipping_time(clean)
    assert port.clean.mock_calls == [call(1), call(2), call(3)]
    port.forget.assert_called_once_with()
    (line,) = caplog.records
    assert (line.message, vars(line)["organization"]) == ("an organization could not be cleaned", 1)
