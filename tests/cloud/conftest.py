"""Fixtures of the tests with foreign clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pywa.client import WhatsApp

from tests.cloud.account import Account
from tests.cloud.pywa_client import client
from tests.cloud.webhooks import SETTINGS
from tests.support.application import Application


@pytest.fixture(scope="package")
def reachable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """Return a running product that may send to this machine, and fetch from it."""
    with Application(tmp_path_factory.mktemp("reachable"), (), **SETTINGS) as running:
        yield running


@pytest.fixture
def account(application: Application, organization: int) -> Account:
    return Account.start(application, organization)


@pytest.fixture
def wa(account: Account) -> Iterator[WhatsApp]:
    """Return pywa's client of the account."""
    with client(account.graph, account.phone_number_id, account.token) as found:
        yield found
