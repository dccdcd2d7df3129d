"""Invalid variables prevent the start with one line; the secret key is created and kept."""

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

pytestmark = pytest.mark.sqlite_only

FILE = Path(settings.BASE_DIR) / "whatsapp_orgs" / "settings.py"
SECONDS = [
    "OWNER_LINK_SECONDS",
    "SESSION_IDLE_SECONDS",
    "LOGIN_MAX_DELAY_SECONDS",
    "OUTDATED_RETRY_SECONDS",
    "WRONG_TOKEN_WINDOW_SECONDS",
    "RECONNECT_WAIT_SECONDS",
    "DISCONNECT_WAIT_SECONDS",
    "LOGIN_REFUSED_LONG_SECONDS",
    "LOGOUT_TIMEOUT_SECONDS",
    "DIAL_TIMEOUT_SECONDS",
    "PAIRING_TIMEOUT_SECONDS",
    "DRAIN_SECONDS",
    "MESSAGE_GAP_SECONDS",
    "NEW_RECIPIENT_GAP_SECONDS",
    "SEND_TIMEOUT_SECONDS",
    "REPLIES_ONLY_SECONDS",
]
COUNTS = [
    "OWNER_LINKS_PER_ORGANIZATION",
    "HOST_MAX_STARTS",
    "WORKER_CAPACITY",
    "DATABASE_CONNECTIONS",
    "CONNECTS_PER_SECOND",
    "HOST_MAX_MEMORY_MB",
    "SESSIONS_PER_HOST",
    "WARM_HOSTS",
    "RECONNECTS_PER_ORGANIZATION",
    "RECONNECTS_PER_CALLER",
    "LOGIN_ATTEMPTS_PER_NETWORK",
    "LOGIN_ATTEMPTS_PER_NAME",
    "WRONG_TOKENS_PER_ADDRESS",
    "SOCKETS_PER_CALLER",
    "CONNECTIONS_PER_ADDRESS",
    "PASSWORD_HASHING_PLACES",
    "REQUEST_THREADS",
    "MESSAGES_PER_MINUTE",
    "NEW_RECIPIENTS_PER_DAY",
    "DELIVERY_RETENTION_DAYS",
    "OUTBOX_LIMIT",
    "MESSAGES_PER_TOKEN",
    "MESSAGES_PER_RECIPIENT",
    "MESSAGES_PER_RECIPIENT_A_DAY",
    "MEDIA_MAX_MB",
    "MEDIA_TOTAL_MB",
    "WEBHOOKS_PER_ORGANIZATION",
    "WEBHOOK_SOCKETS",
    "WEBHOOK_SOCKETS_PER_HOST",
]


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a new data folder without a secret key."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SECRET_KEY", "")
    return tmp_path / "data"


def read() -> dict[str, Any]:
    """Return the settings as a start would read them now."""
    return runpy.run_path(str(FILE))


def test_tables_have_every_setting_in_seconds() -> None:
    found = {name for name in read() if name.endswith("_SECONDS")}
    # A whole number, and only in production.
    assert found - {"SECURE_HSTS_SECONDS"} == set(SECONDS)


@pytest.mark.parametrize("name", SECONDS + COUNTS)
@pytest.mark.parametrize("value", ["abc", "5s", "2 minutes", "1,5", "0", "-1", "nan", "inf"])
def test_value_that_is_no_positive_number_is_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=f"^{name} must be [^\n]*not .*\\.$"):
        read()


@pytest.mark.parametrize("name", COUNTS)
def test_fraction_of_a_count_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1.5")
    with pytest.raises(ImproperlyConfigured, match=f"^{name} must be a whole number, not 1.5.$"):
        read()


@pytest.mark.parametrize("name", ["MESSAGE", "MEDIA", "HISTORY"])
def test_days_may_be_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{name}_RETENTION_DAYS"
    monkeypatch.setenv(name, "0")
    assert read()[name] == 0
    monkeypatch.setenv(name, "-1")
    with pytest.raises(ImproperlyConfigured, match=f"^{name} must be "):
        read()


def test_valid_numbers_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECONDS:
        monkeypatch.setenv(name, "0.25")
    for name in COUNTS:
        monkeypatch.setenv(name, "7")
    found = read()
    assert {found[name] for name in SECONDS} == {0.25}
    assert {found[name] for name in COUNTS} == {7}


@pytest.mark.parametrize(
    "value",
    ["orgs.example.com", "https://", "ftp://a", "https://a/b", "https://a?b", "https://a b"],
)
def test_address_of_the_site_is_a_scheme_and_a_host(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read()["SITE_URL"] == ""
    for good in ("https://orgs.example.com", "http://[::1]:8000"):
        monkeypatch.setenv("SITE_URL", f"{good}/")
        assert read()["SITE_URL"] == good
    monkeypatch.setenv("SITE_URL", value)
    with pytest.raises(ImproperlyConfigured, match="^SITE_URL must be like https://"):
        read()


def test_mail_is_off_until_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMAIL_URL", raising=False)
    assert read()["EMAIL_BACKEND"] == "django.core.mail.backends.dummy.EmailBackend"
    monkeypatch.setenv("EMAIL_URL", "smtp+tls://me:secret@mail.example.com:587")
    found = read()
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == ("mail.example.com", 587)
    assert found["EMAIL_USE_TLS"] is True


@pytest.mark.parametrize("value", ["prod", "LIVE", "simulator ", "https://web.whatsapp.com"])
def test_unknown_whatsapp_server_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHATSAPP_SERVER", value)
    with pytest.raises(ImproperlyConfigured) as error:
        read()
    assert str(error.value) == f"WHATSAPP_SERVER must be one of live, simulator, not {value!r}."


@pytest.mark.parametrize(
    "value", ["", "Mars", "America", "Sao Paulo", "/etc/localtime", "../UTC", "zone.tab"]
)
def test_unknown_time_zone_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIME_ZONE", "America/Sao_Paulo")
    assert read()["TIME_ZONE"] == "America/Sao_Paulo"
    monkeypatch.setenv("TIME_ZONE", value)
    with pytest.raises(ImproperlyConfigured, match="^TIME_ZONE must be [^\n]*\\.$"):
        read()


@pytest.mark.parametrize("value", ["", "VERBOSE", "10", "INFO "])
def test_unknown_log_level_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert read()["LOGGING"]["root"]["level"] == "DEBUG"
    monkeypatch.setenv("LOG_LEVEL", value)
    with pytest.raises(ImproperlyConfigured, match="^LOG_LEVEL must be one of [^\n]*INFO, [^\n]*$"):
        read()


@pytest.mark.parametrize(
    "name",
    [
        *("DEBUG", "EMBEDDED_WORKER", "PRODUCTION", "REQUIRE_SECOND_FACTOR", "TRUST_PROXY"),
        *("WEBHOOKS_ALLOW_PRIVATE", "PROXIES_ALLOW_PRIVATE"),
    ],
)
def test_boolean_accepts_only_known_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for value, meaning in {"true": True, "1": True, "On": True, "no": False, "0": False}.items():
        monkeypatch.setenv(name, value)
        assert read()[name] is meaning
    for value in ("maybe", "", "2"):
        monkeypatch.setenv(name, value)
        with pytest.raises(ImproperlyConfigured, match=f"^{name} must be true or false, not "):
            read()


def test_start_with_an_invalid_value_ends_with_the_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIAL_TIMEOUT_SECONDS", "soon")
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert done.stderr.rstrip().endswith("DIAL_TIMEOUT_SECONDS must be a number, not 'soon'.")


def test_secret_key_is_created_once_and_private(data_dir: Path) -> None:
    first = read()["SECRET_KEY"]
    assert len(first) >= 50
    assert read()["SECRET_KEY"] == first
    path = data_dir / "secret_key"
    assert path.read_text() == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert data_dir.stat().st_mode & 0o777 == 0o700
    assert [found.name for found in data_dir.iterdir()] == ["secret_key"]


def test_each_installation_has_another_secret_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read()["SECRET_KEY"]
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "another"))
    assert read()["SECRET_KEY"] != first


def test_given_secret_key_is_not_stored(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "given by the operator")
    assert read()["SECRET_KEY"] == "given by the operator"
    assert not data_dir.exists()


def test_empty_secret_key_file_is_refused(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "secret_key").write_text("\n")
    with pytest.raises(ImproperlyConfigured, match="is empty. Delete it, or set SECRET_KEY."):
        read()


def test_defaults_are_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DEBUG", "ALLOWED_HOSTS", "WHATSAPP_SERVER"):
        monkeypatch.delenv(name, raising=False)
    found = read()
    assert found["DEBUG"] is False
    assert "*" not in found["ALLOWED_HOSTS"]
    assert found["WHATSAPP_SERVER"] == "live"
    assert found["WEBHOOKS_ALLOW_PRIVATE"] is False
    assert found["PROXIES_ALLOW_PRIVATE"] is False
    assert found["AUTH_SESSIONS_DIR"].parent == found["DATA_DIR"]


def test_named_env_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # So that it is unset now, and again after the test, though reading the file sets it.
    monkeypatch.setenv("DEVICE_NAME", "")
    monkeypatch.delenv("DEVICE_NAME")
    path = tmp_path / "other.env"
    path.write_text("DEVICE_NAME=Named in a file\nWARM_HOSTS=4\n")
    monkeypatch.setenv("ENV_FILE", str(path))
    monkeypatch.setenv("WARM_HOSTS", "5")
    found = read()
    assert found["DEVICE_NAME"] == "Named in a file"
    assert found["WARM_HOSTS"] == 5, "the environment wins"


def test_missing_env_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENV_FILE", "/no/such/file")
    with pytest.raises(ImproperlyConfigured, match="^ENV_FILE must be a file, or empty for none"):
        read()
