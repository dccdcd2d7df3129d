"""`GET feed`: events in order after a cursor, a long poll that ends with the next one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from connections import long_poll
from events import log
from events.log import NewEvent
from events.models import EventType
from messaging.tests.support.api import READ, SEND, MessageApi
from organizations.access import Actor
from organizations.actions import revoke_token
from organizations.models import Organization
from organizations.tests.support.api import error, olivia

__all__ = ["olivia"]

RECEIVED, STATUS = EventType.MESSAGE_RECEIVED, EventType.MESSAGE_STATUS


@pytest.fixture
def api(olivia: User, organization: Organization) -> MessageApi:
    return MessageApi(olivia, organization, READ)


def append(organization: Organization, *types: EventType) -> None:
    with transaction.atomic():
        log.append(organization.pk, [NewEvent(kind, {"id": "m"}) for kind in types])


def read(api: MessageApi, query: str = "") -> tuple[list[int], int]:
    """Return the sequences and `next`."""
    answer = api("get", f"feed{query}").json()
    return [event["sequence"] for event in answer["events"]], answer["next"]


def test_events_after_the_cursor_are_told_in_order_again_and_again(
    api: MessageApi, organization: Organization, other_organization: Organization
) -> None:
    append(other_organization, RECEIVED)
    append(organization, RECEIVED, STATUS, RECEIVED)
    for _ in range(2):
        assert read(api) == ([1, 2, 3], 3)
        assert read(api, "?after=1&limit=1") == ([2], 2)
    assert read(api, "?after=3") == ([], 3)
    event = api("get", "feed?limit=1").json()["events"][0]
    assert (event["type"], event["data"]) == ("message.received", {"id": "m"})
    assert event["at"].startswith("20")


def test_empty_log_answers_at_once(api: MessageApi) -> None:
    assert read(api) == ([], 0)


def test_cursor_skips_events_of_other_types(api: MessageApi, organization: Organization) -> None:
    append(organization, RECEIVED, STATUS, RECEIVED, STATUS)
    assert read(api, "?types=message.status") == ([2, 4], 4)
    assert read(api, "?types=message.status&limit=1") == ([2], 2)
    assert read(api, "?types=message.received") == ([1, 3], 4)
    assert read(api, "?types=media.ready,media.failed") == ([], 4)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("after=5", "after: There is no event 5 yet; the newest is 1."),
        ("after=-1", "after: "),
        ("after=x", "after: "),
        (f"after={2**63}", "after: "),
        ("wait=26", "wait: "),
        ("wait=-1", "wait: "),
        ("wait=nan", "wait: "),
        ("limit=0", "limit: "),
        ("limit=501", "limit: "),
        ("types=message.exploded", "types: There are no events of the type “message.exploded”."),
        ("types=", "types: "),
    ],
)
def test_bad_parameter_is_named(
    api: MessageApi, organization: Organization, query: str, message: str
) -> None:
    append(organization, RECEIVED)
    status, code, text = error(api("get", f"feed?{query}"))
    assert (status, code, text[: len(message)]) == (400, "invalid", message)


def test_only_readers_read(
    olivia: User, alice: User, charlie: User, organization: Organization
) -> None:
    for user, scopes in ((olivia, (SEND,)), (olivia, ()), (alice, (READ,))):
        refused = error(MessageApi(user, organization, *scopes)("get", "feed"))
        assert refused[:2] == (403, "permission_denied")
    assert error(MessageApi(charlie, organization, READ)("get", "feed"))[0] == 404


# --- Waiting ------------------------------------------------------------------------------------


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call something once, at the second look of a request that waits."""
    from messaging.api import views_feed

    found: list[Any] = []
    look = views_feed._read

    def watched(organization_id: int, query: dict[str, Any]) -> Any:
        page = look(organization_id, query)
        if found:
            found.pop()()
        return page

    monkeypatch.setattr(views_feed, "_read", watched)
    monkeypatch.setattr(long_poll, "RECHECK_SECONDS", 60)
    return found


@pytest.mark.django_db(transaction=True)
def test_request_that_waits_is_woken_by_the_next_event(
    api: MessageApi, organization: Organization, waiting: list[Any]
) -> None:
    def append_elsewhere() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_in_thread, append, organization, STATUS).result(30)

    append(organization, RECEIVED)
    waiting.append(append_elsewhere)
    assert read(api, "?after=1&wait=25") == ([2], 2)


@pytest.mark.django_db(transaction=True)
def test_right_that_ends_during_the_wait_ends_it_with_403(
    api: MessageApi, organization: Organization, waiting: list[Any]
) -> None:
    def revoke() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_in_thread, revoke_token, api.token, Actor("the tests")).result(30)
            pool.submit(_in_thread, append, organization, STATUS).result(30)

    waiting.append(revoke)
    assert error(api("get", "feed?wait=25"))[:2] == (403, "permission_denied")


def test_wait_ends_without_an_event(api: MessageApi) -> None:
    assert read(api, "?wait=0.01") == ([], 0)


def _in_thread(act: Any, *arguments: Any) -> None:
    try:
        act(*arguments)
    finally:
        connection.close()
