"""PRODUCTION: the settings that it refuses, and the defaults that it changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from whatsapp_orgs.checks import check_production, production_problems, refuse_bad_start

pytestmark = pytest.mark.sqlite_only

GOOD_KEY = "q7Zr0mWcT4vLx9NdKs2HgYbEu8JfPa5RtXi3CoVnBl6Gk1MzQy"


@pytest.fixture
def production(settings: Settings, tmp_path: Path) -> Settings:
    """Set only safe values."""
    for name in ("DATA_DIR", "AUTH_SESSIONS_DIR"):
        folder = tmp_path / name
        folder.mkdir(mode=0o700)
        setattr(settings, name, folder)
    settings.PRODUCTION = True
    settings.SECRET_KEY = GOOD_KEY
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["orgs.example.com"]
    settings.WHATSAPP_SERVER = "live"
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.CSRF_TRUSTED_ORIGINS = ["https://orgs.example.com"]
    return settings


@pytest.mark.parametrize("alphabet", ["0123456789", "0123456789abcdef", GOOD_KEY])
def test_random_key_of_any_alphabet_is_accepted(production: Settings, alphabet: str) -> None:
    for seed in range(200):
        production.SECRET_KEY = "".join(Random(seed).choices(alphabet, k=50))
        assert lines() == []


def lines() -> list[str]:
    return [text for _, text in production_problems()]


def test_safe_settings_are_accepted(production: Settings) -> None:
    assert lines() == []
    assert check_production(None) == []
    refuse_bad_start()


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (GOOD_KEY[:49], "shorter than 50"),
        ("a" * 60, "repeats itself"),
        ("abc" * 30, "repeats itself"),
        ("0123456789" * 6, "repeats itself"),
        ("django-insecure-" + GOOD_KEY, "from an example"),
        ("ChangeMe" + GOOD_KEY, "from an example"),
        ("my-Secret-" + GOOD_KEY, "from an example"),
    ],
)
def test_weak_key_is_refused(production: Settings, key: str, words: str) -> None:
    production.SECRET_KEY = key
    (line,) = lines()
    assert words in line and "Remove SECRET_KEY" in line
    assert key not in line


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DEBUG", True, "set DEBUG=false"),
        ("ALLOWED_HOSTS", [], "ALLOWED_HOSTS must name"),
        ("ALLOWED_HOSTS", ["orgs.example.com", "*"], "ALLOWED_HOSTS must name"),
        ("WHATSAPP_SERVER", "simulator", "set WHATSAPP_SERVER=live"),
        ("SESSION_COOKIE_SECURE", False, "plain HTTP"),
        ("CSRF_COOKIE_SECURE", False, "plain HTTP"),
        ("WEBHOOKS_ALLOW_PRIVATE", True, "in WEBHOOKS_ALLOWED_HOSTS"),
        ("PROXIES_ALLOW_PRIVATE", True, "in PROXIES_ALLOWED_HOSTS"),
        ("CSRF_TRUSTED_ORIGINS", ["http://orgs.example.com"], "https:// origins only"),
    ],
)
def test_unsafe_setting_is_refused(
    production: Settings, name: str, value: object, words: str
) -> None:
    setattr(production, name, value)
    (line,) = lines()
    assert words in line and "\n" not in line
    with pytest.raises(ImproperlyConfigured, match="PRODUCTION is set, and this is not safe:\n  "):
        refuse_bad_start()


def test_private_webhooks_to_named_hosts_are_accepted(production: Settings) -> None:
    production.WEBHOOKS_ALLOW_PRIVATE = True
    production.WEBHOOKS_ALLOWED_HOSTS = ["crm.internal.example.com"]
    assert lines() == []


@pytest.mark.parametrize("name", ["DATA_DIR", "AUTH_SESSIONS_DIR"])
@pytest.mark.parametrize("mode", [0o750, 0o701, 0o740, 0o755, 0o777])
def test_readable_folder_is_refused(production: Settings, name: str, mode: int) -> None:
    folder: Path = getattr(production, name)
    folder.chmod(mode)
    assert lines() == [f"{name}: others can read {folder}. Run: chmod 700 {folder}"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_folder_is_refused(production: Settings) -> None:
    production.DATA_DIR.chmod(0o500)
    assert "cannot be written" in lines()[0]
    production.DATA_DIR.chmod(0o700)


def test_file_instead_of_a_folder_is_refused(production: Settings, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    production.DATA_DIR = file
    production.AUTH_SESSIONS_DIR = file / "auth_sessions"
    first, second = lines()
    assert "is not a folder" in first and "cannot be made" in second


def test_missing_folder_is_accepted(production: Settings, tmp_path: Path) -> None:
    production.AUTH_SESSIONS_DIR = tmp_path / "not" / "yet"
    assert lines() == []


def test_everything_is_accepted_without_production(settings: Settings) -> None:
    settings.PRODUCTION = False
    settings.SECRET_KEY = ""
    settings.ALLOWED_HOSTS = ["*"]
    assert check_production(None) == []
    refuse_bad_start()


# --- As a process starts -------------------------------------------------------------------------


def start(tmp_path: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A process with PRODUCTION set and nothing wrong but what `more` says."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700, exist_ok=True)
    names = ("PATH", "HOME", "LANG")
    environment = {name: os.environ[name] for name in names if name in os.environ} | {
        "PRODUCTION": "true",
        "TRUST_PROXY": "true",
        "DATA_DIR": str(data),
        "ENV_FILE": "",
        "SECRET_KEY": GOOD_KEY,
        "DEBUG": "false",
        "WHATSAPP_SERVER": "live",
        "ALLOWED_HOSTS": "orgs.example.com",
        "CSRF_TRUSTED_ORIGINS": "https://orgs.example.com",
        "DJANGO_SETTINGS_MODULE": "whatsapp_orgs.settings",
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=Path(__file__).parents[2],
        env=environment | more,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_deployment_check_has_no_warnings(tmp_path: Path) -> None:
    done = start(tmp_path, "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["serve", "run", "check"])
def test_unsafe_start_is_refused(tmp_path: Path, command: str) -> None:
    done = start(tmp_path, "manage.py", command, DEBUG="true", WHATSAPP_SERVER="simulator")
    assert done.returncode != 0
    assert "set DEBUG=false" in done.stderr and "set WHATSAPP_SERVER=live" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "data").iterdir()) == []


def test_unsafe_import_of_the_application_is_refused(tmp_path: Path) -> None:
    done = start(tmp_path, "-c", "import whatsapp_orgs.asgi", ALLOWED_HOSTS="*")
    assert done.returncode != 0
    assert "ALLOWED_HOSTS must name" in done.stderr
    done = start(tmp_path, "-c", "import whatsapp_orgs.asgi")
    assert done.returncode == 0, done.stderr


def test_plain_http_without_a_proxy_is_refused(tmp_path: Path) -> None:
    done = start(tmp_path, "manage.py", "serve", TRUST_PROXY="false")
    assert done.returncode != 0
    assert "set TRUST_PROXY=true" in done.stderr and "Traceback" not in done.stderr


def test_production_changes_the_defaults(tmp_path: Path) -> None:
    names = (
        *("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT"),
        *("SECURE_HSTS_SECONDS", "SECURE_PROXY_SSL_HEADER"),
    )
    code = f"from django.conf import settings\nprint([getattr(settings, n) for n in {names}])"
    assert start(tmp_path, "-c", code).stdout.strip() == (
        "[True, True, True, 31536000, ('HTTP_X_FORWARDED_PROTO', 'https')]"
    )
    done = start(tmp_path, "-c", code, TRUST_PROXY="false", SECURE_SSL_REDIRECT="false")
    assert done.stdout.strip() == "[True, True, False, 31536000, None]"
    assert start(tmp_path, "-c", code, PRODUCTION="false", TRUST_PROXY="false").stdout.strip() == (
        "[False, False, False, 0, None]"
    )
