"""Fixtures for tests across apps: running products."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from organizations.tests.support.users import clear_cache
from tests.support.application import Application

__all__ = ["clear_cache"]


@pytest.fixture(scope="package")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """A running product that tests share. Use a new organization in each test.

    It ends with the last of `tests/`: else it would use CPU time until all others have run.
    """
    with Application(
        tmp_path_factory.mktemp("application"),
        # The proxies of organizations, which the simulator has there.
        PROXIES_ALLOW_PRIVATE="true",
        PROXIES_ALLOWED_HOSTS="127.0.0.1",
    ) as running:
        yield running


@pytest.fixture
def organization(application: Application, request: pytest.FixtureRequest) -> int:
    """Return the id of an organization that no other test uses."""
    return application.new_organizations(f"Organization of {request.node.name}")[0]


@pytest.fixture
def own_application(tmp_path: Path) -> Iterator[Application]:
    """A product for one test, which may kill it."""
    with Application(tmp_path / "application") as running:
        yield running
