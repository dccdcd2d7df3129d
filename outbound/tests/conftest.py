"""What all tests of requests use."""

from __future__ import annotations

from pathlib import Path

import pytest

from outbound import client
from outbound.tests.servers import Certificates


@pytest.fixture(autouse=True)
def short_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "WHOLE_SECONDS", 20.0)
    monkeypatch.setattr(client, "REFUSED_SECONDS", 0.05)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)
