"""Many parallel wrong logins do not block other requests."""

from __future__ import annotations

from pathlib import Path

from tests.attacks import wrong_logins
from tests.support.application import Application


def test_status_gets_a_response_during_many_logins(tmp_path: Path) -> None:
    environment = wrong_logins.ENVIRONMENT | {"PASSWORD_HASHING_PLACES": "1"}
    with Application(tmp_path / "data", (), **environment) as application:
        found = wrong_logins.attack(application)
        log = application.log_text()
    assert set(found.answers) == {200, 503}
    assert found.answers[503] > wrong_logins.LOGINS / 2
    # A status would wait for all logins if they took all cores and all threads.
    assert max(found.meanwhile) < found.seconds * 0.75
    assert "Traceback" not in log
