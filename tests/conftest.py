"""What the tests across apps share: one running product."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from organizations.tests.support.users import clear_cache
from tests.support.application import Application

__all__ = ["clear_cache"]


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """The product, running on a data folder of its own. Take a fresh organization for each test."""
    with Application(tmp_path_factory.mktemp("application")) as running:
        yield running


@pytest.fixture
def organization(application: Application, request: pytest.FixtureRequest) -> int:
    """The id of an organization that no other test uses."""
    return application.new_organizations(f"Organization of {request.node.name}")[0]


@pytest.fixture
def own_application(tmp_path: Path) -> Iterator[Application]:
    """A product that only this test uses, so that it may be killed."""
    with Application(tmp_path / "application") as running:
        yield running
