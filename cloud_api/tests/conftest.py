"""The organizations of the tests, and a client of the façade."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from cloud_api.tests.support.graph import Graph
from connections.models import Worker
from connections.tests.support.fake_worker import FakeWorker
from organizations.models import Organization
from organizations.tests.support.users import clear_cache, organization, other_organization

__all__ = ["clear_cache", "organization", "other_organization"]


@pytest.fixture
def worker(db: None) -> Worker:
    """Return a living worker, without which nothing is accepted."""
    return FakeWorker().worker


@pytest.fixture
def graph(organization: Organization, worker: Worker) -> Graph:
    """Return a client with all rights."""
    return Graph(organization)


@pytest.fixture
def media_dir(tmp_path: Path, settings: Settings) -> Path:
    """Store files in a folder of the test."""
    options = settings.STORAGES["media"]["OPTIONS"] | {"location": tmp_path / "media"}
    media = settings.STORAGES["media"] | {"OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"media": media}
    return tmp_path / "media"
