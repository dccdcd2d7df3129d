"""Where credentials are follows the database, unless it is said."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

FILE = Path(settings.BASE_DIR) / "whatsapp_orgs" / "settings.py"
HERE, THERE = "postgres://me@127.0.0.1:1/here", "postgresql://me@127.0.0.1:1/there"


@pytest.fixture(autouse=True)
def nothing_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    # An empty one is as good as none.
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.setenv(name, "")
    for name in ("AUTH_SESSIONS", "AUTH_SESSIONS_URL"):
        monkeypatch.delenv(name, raising=False)


def read(monkeypatch: pytest.MonkeyPatch, **said: str) -> tuple[str, str]:
    """Where credentials are, and in which PostgreSQL, as a start would read it now."""
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    found = runpy.run_path(str(FILE))
    return found["AUTH_SESSIONS"], found["AUTH_SESSIONS_URL"]


def test_without_a_word_they_are_in_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch) == ("folders", "")


def test_they_follow_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, DATABASE_URL=HERE) == ("database", HERE)


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, DATABASE_URL=HERE, AUTH_SESSIONS_URL="") == ("database", HERE)


def test_they_can_have_a_postgresql_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, DATABASE_URL=HERE, AUTH_SESSIONS_URL=THERE)
    assert found == ("database", THERE)


def test_they_can_stay_in_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    place, _ = read(monkeypatch, DATABASE_URL=HERE, AUTH_SESSIONS="folders")
    assert place == "folders"


@pytest.mark.parametrize("url", ["", "mysql://secret@127.0.0.1/x", "/a/path"])
def test_a_database_that_is_none_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"AUTH_SESSIONS_URL must be [^\n]*$") as told:
        read(monkeypatch, AUTH_SESSIONS="database", AUTH_SESSIONS_URL=url)
    assert "secret" not in str(told.value)


def test_an_unknown_place_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match="^AUTH_SESSIONS must be one of"):
        read(monkeypatch, AUTH_SESSIONS="cloud")
