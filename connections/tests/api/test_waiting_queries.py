"""A request that waits checks the database again and again, so a check without news is cheap."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_django import DjangoAssertNumQueries

from connections import actions
from connections.api import views
from connections.models import Connection
from connections.tests.support.fake_worker import FakeWorker
from organizations.access import Actor
from organizations.models import Membership, Organization
from organizations.tests.support.api import Api
from organizations.tests.support.users import member


@pytest.fixture
def api(organization: Organization) -> Api:
    return Api(member("olivia", organization, Membership.Role.OWNER))


@pytest.fixture
def checked(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> list[object]:
    """Let a request check once instead of waiting, and return what its checks find."""
    found: list[object] = []

    def check_once(group: str, check: Callable[[], object], seconds: float) -> None:
        with django_assert_num_queries(1):
            found.append(check())

    monkeypatch.setattr(views, "wait_for", check_once)
    return found


def test_check_for_a_code_without_news_is_one_query(
    api: Api, connection: Connection, checked: list[object]
) -> None:
    answer = api("post", f"/organizations/{connection.pk}/whatsapp/reconnect")
    assert (answer.status_code, checked) == (202, [None])


def test_check_for_the_end_of_a_disconnect_without_news_is_one_query(
    api: Api, connection: Connection, hand: FakeWorker, checked: list[object]
) -> None:
    actions.request_reconnect(connection.pk, Actor("the tests"))
    hand.link(connection)
    answer = api("delete", f"/organizations/{connection.pk}/whatsapp/disconnect")
    assert (answer.status_code, checked) == (202, [None])
