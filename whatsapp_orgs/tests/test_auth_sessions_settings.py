"""AUTH_SESSIONS and AUTH_SESSIONS_URL, and their defaults."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

FILE = Path(settings.BASE_DIR) / "whatsapp_orgs" / "settings.py"
MAIN_URL, OTHER_URL = "postgres://me@127.0.0.1:1/here", "postgresql://me@127.0.0.1:1/there"


@pytest.fixture(autouse=True)
def default_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    # An empty value is like an unset variable.
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.setenv(name, "")
    for name in ("AUTH_SESSIONS", "AUTH_SESSIONS_URL"):
        monkeypatch.delenv(name, raising=False)


def read(monkeypatch: pytest.MonkeyPatch, **variables: str) -> tuple[str, str]:
    """Return both settings as a start would read them now."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings_read = runpy.run_path(str(FILE))
    return settings_read["AUTH_SESSIONS"], settings_read["AUTH_SESSIONS_URL"]


def test_default_without_database_url_is_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch) == ("folders", "")


def test_default_with_database_url_is_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, DATABASE_URL=MAIN_URL) == ("database", MAIN_URL)


def test_empty_auth_sessions_url_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, DATABASE_URL=MAIN_URL, AUTH_SESSIONS_URL="") == ("database", MAIN_URL)


def test_auth_sessions_url_overrides_database_url(monkeypatch: pytest.MonkeyPatch) -> None:
    settings_read = read(monkeypatch, DATABASE_URL=MAIN_URL, AUTH_SESSIONS_URL=OTHER_URL)
    assert settings_read == ("database", OTHER_URL)


def test_folders_can_be_chosen_with_a_database_url(monkeypatch: pytest.MonkeyPatch) -> None:
    location, _ = read(monkeypatch, DATABASE_URL=MAIN_URL, AUTH_SESSIONS="folders")
    assert location == "folders"


@pytest.mark.parametrize("url", ["", "mysql://secret@127.0.0.1/x", "/a/path"])
def test_invalid_database_url_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"AUTH_SESSIONS_URL must be [^\n]*$") as error:
        read(monkeypatch, AUTH_SESSIONS="database", AUTH_SESSIONS_URL=url)
    assert "secret" not in str(error.value)


def test_unknown_location_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match="^AUTH_SESSIONS must be one of"):
        read(monkeypatch, AUTH_SESSIONS="cloud")
