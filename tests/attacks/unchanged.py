"""Helpers for tests of hostile clients: state and log must not change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.application import Application
from tests.support.raw_http import RawConnection, RawResponse

HOSTILE_IDS = [
    *("0", "-1", "1e3", "0x1", "1.5", "abc", "%00", "1%00", "1%0d%0aX-Evil:1", "%ff%fe"),
    *("..", "%2e%2e", "..%2f..%2fetc", "%2e%2e%2f1", "1%2f..%2f2", "....//", "%5c..%5c"),
    *("9" * 20, "9" * 400, "%D9%A1", "1;drop", "1%20or%201=1", "%F0%9F%92%A3"),
]


@pytest.fixture(autouse=True)
def assert_unchanged(application: Application) -> Iterator[None]:
    """Check that the block changes no organization, folder or error in the log."""
    before, said = state(application), len(application.log_text())
    yield
    assert state(application) == before
    new = application.log_text()[said:]
    assert "Traceback" not in new and "X-Evil" not in new.replace("\\r\\nX-Evil", ""), new
    assert not any(ord(sign) < 32 and sign != "\n" for sign in new), repr(new)


def state(application: Application) -> dict[str, Any]:
    """Return the state that a hostile request might change."""
    found = application.api("GET", application.organization(), "status")
    top = {path.name for path in application.data_dir.iterdir()}
    stores = {path.name for path in (application.data_dir / "auth_sessions").glob("*")}
    return {
        "status": found.body,
        # The store of an earlier pairing may be removed meanwhile; none may be added.
        "folders": all(name.isdigit() for name in stores),
        "files": {name for name in top if not name.startswith(".")},
    }


def bearer(application: Application) -> str:
    return f"Bearer {application.facts['token']}"


def ask(
    application: Application, first_line: str, body: bytes = b"", **headers: str
) -> RawResponse:
    with RawConnection(application) as raw:
        return raw.request(first_line, body, **headers)
