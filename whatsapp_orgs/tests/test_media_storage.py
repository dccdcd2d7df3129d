"""MEDIA_STORAGE: a folder by default, a bucket of S3 by further variables."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

pytestmark = pytest.mark.sqlite_only

FILE = Path(settings.BASE_DIR) / "whatsapp_orgs" / "settings.py"


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    return tmp_path


def media() -> dict[str, Any]:
    """Return the storage of files as a start would set it up now."""
    found: dict[str, Any] = runpy.run_path(str(FILE))["STORAGES"]["media"]
    return found


def test_folder_is_private_and_the_default(data_dir: Path) -> None:
    found = media()
    assert found["BACKEND"].endswith("FileSystemStorage")
    options = found["OPTIONS"]
    assert options["location"] == data_dir / "media"
    modes = (options["file_permissions_mode"], options["directory_permissions_mode"])
    assert modes == (0o600, 0o700)


def test_bucket_is_described_by_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIA_STORAGE", "s3")
    monkeypatch.setenv("MEDIA_S3_BUCKET", "files")
    monkeypatch.setenv("MEDIA_S3_PREFIX", "whatsapp")
    options = media()["OPTIONS"]
    assert (options["bucket_name"], options["location"]) == ("files", "whatsapp")
    assert (options["endpoint_url"], options["region_name"]) == (None, None)
    assert options["client_config"].s3 == {"addressing_style": "auto"}
    monkeypatch.setenv("MEDIA_S3_ENDPOINT", "https://s3.example.com")
    monkeypatch.setenv("MEDIA_S3_REGION", "eu-1")
    options = media()["OPTIONS"]
    assert (options["endpoint_url"], options["region_name"]) == ("https://s3.example.com", "eu-1")
    assert options["client_config"].s3 == {"addressing_style": "path"}


def test_waits_for_the_bucket_have_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIA_STORAGE", "s3")
    monkeypatch.setenv("MEDIA_S3_BUCKET", "files")
    config = media()["OPTIONS"]["client_config"]
    assert 0 < config.connect_timeout <= 5 and 0 < config.read_timeout <= 15
    assert config.retries["total_max_attempts"] <= 3


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"MEDIA_STORAGE": "ftp"}, "MEDIA_STORAGE must be one of folder, s3, not 'ftp'"),
        ({"MEDIA_STORAGE": "s3"}, "MEDIA_S3_BUCKET must name a bucket"),
        (
            {"MEDIA_STORAGE": "s3", "MEDIA_S3_BUCKET": "a", "MEDIA_S3_ENDPOINT": "s3.example.com"},
            "MEDIA_S3_ENDPOINT must be a URL",
        ),
    ],
)
def test_invalid_storage_is_refused(
    variables: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=words):
        media()
