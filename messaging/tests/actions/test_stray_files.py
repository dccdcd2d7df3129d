"""Stored files without a row are deleted once they are old, and nothing else is."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone
from pytest_django import Settings

from messaging import media_files
from messaging.actions import maintenance, stray_files
from messaging.models import Media
from messaging.tests.support.linked import Linked

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media_dir(tmp_path: Path, settings: Settings) -> None:
    """Store files in a folder of the test."""
    options = settings.STORAGES["media"]["OPTIONS"] | {"location": tmp_path / "media"}
    media = settings.STORAGES["media"] | {"OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"media": media}


def store(days: float) -> str:
    """Store a file so many days ago, and return its name."""
    name = media_files.save([b"a text"], 100).name
    return age(name, days)


def age(name: str, days: float) -> str:
    at = (timezone.now() - timedelta(days=days)).timestamp()
    os.utime(media_files.storage().path(name), (at, at))
    return name


def exists(name: str) -> bool:
    return media_files.storage().exists(name)


def test_old_file_without_a_row_is_deleted(linked: Linked) -> None:
    stray, young, kept = store(days=2), store(days=0.5), store(days=2)
    Media.objects.create(organization=linked.organization, stored_as=kept, state="ready")
    maintenance.forget()
    assert [exists(name) for name in (stray, young, kept)] == [False, True, True]


def test_files_that_are_not_ours_stay(db: None) -> None:
    names = ["ab/backup.tar", "notes/abcdefghijklmnopqrstuv"]
    for name in names:
        assert age(media_files.storage().save(name, ContentFile(b"x")), days=30) == name
    maintenance.forget()
    assert all(map(exists, names))


def test_one_run_looks_at_some_folders_only(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stray_files, "FOLDERS_AT_ONCE", 1)
    names = [store(days=2) for _ in range(5)]
    assert len({name[:2] for name in names}) > 1
    maintenance.forget()
    left = [name for name in names if exists(name)]
    assert 0 < len(left) < 5
    for _ in range(200):
        stray_files.delete_some()
    assert not any(map(exists, names))


@pytest.mark.parametrize("method", ["listdir", "get_modified_time"])
def test_storage_that_fails_is_left_for_the_next_run(db: None, method: str) -> None:
    stray = store(days=2)
    with patch.object(media_files.storage(), method, side_effect=PermissionError):
        maintenance.forget()
    assert exists(stray)
    maintenance.forget()
    assert not exists(stray)


def test_nothing_was_ever_stored(db: None) -> None:
    maintenance.forget()
