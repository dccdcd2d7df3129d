"""Whoever writes work for a worker notifies it, by the kind of work that it listens to."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from connections import actions as connection_actions
from connections import broadcast, bulk
from connections.actions.activity import CONNECTION_TASKS
from connections.actions.bulk import BULK_RUNS
from connections.models import BulkRun, Connection
from events import troubles
from events.troubles import TroubleReport
from notices.actions import addresses, sending
from notices.actions.troubles import NOTICES
from notices.models import Address, Notice
from organizations.access import Actor, for_user
from organizations.actions import set_active
from organizations.models import Organization
from organizations.tests.support.users import alice, clear_cache, organization
from removal import actions as removal_actions
from removal.actions import REMOVALS

__all__ = ["alice", "clear_cache", "organization"]

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only]

SERVICE = Actor("a test")


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kinds of work of which workers were notified."""
    notified: list[str] = []
    monkeypatch.setattr(broadcast, "notify_work", notified.append)
    return notified


def deactivate(organization: Organization, user: User) -> None:
    set_active(organization, False, SERVICE)


def start_bulk_run(organization: Organization, user: User) -> None:
    connection = Connection.objects.of(organization)
    Connection.objects.filter(pk=connection.pk).update(store_name="attempt-1", state="disconnected")
    rows = Connection.objects.filter(pk=connection.pk).select_related("organization", "worker")
    plan = bulk.plan(for_user(user), BulkRun.Action.RECONNECT, rows)
    connection_actions.start_run(for_user(user), plan)


def remove(organization: Organization, user: User) -> None:
    removal_actions.start_removal(organization, SERVICE, wait_for_logout=False)


def report_trouble(organization: Organization, user: User) -> None:
    trouble = TroubleReport(organization.pk, "webhook", "It fails.", "Look at it.", "/")
    troubles.begin(trouble)


def ask_for_a_test(organization: Organization, user: User) -> None:
    addresses._ask(address_of(user), Notice.Kind.TEST)


def retry_a_notice(organization: Organization, user: User) -> None:
    notice = Notice.objects.create(
        user=user, address=address_of(user), label="a", kind=Notice.Kind.TEST, state="failed"
    )
    assert sending.retry(notice.pk)


def address_of(user: User) -> Address:
    return Address.objects.create(
        user=user, kind="mail", target="a@example.com", label="a", confirmed_at=timezone.now()
    )


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (deactivate, CONNECTION_TASKS),
        (start_bulk_run, BULK_RUNS),
        (remove, REMOVALS),
        (report_trouble, NOTICES),
        (ask_for_a_test, NOTICES),
        (retry_a_notice, NOTICES),
    ],
)
def test_change_notifies_workers_of_its_work(
    change: Callable[[Organization, User], None],
    kind: str,
    kinds: list[str],
    organization: Organization,
    alice: User,
) -> None:
    change(organization, alice)
    assert kind in kinds


def test_end_of_a_trouble_notifies_workers_and_of_none_does_not(
    kinds: list[str], organization: Organization, alice: User
) -> None:
    troubles.end(organization.pk, "webhook", recovered=True)
    assert kinds == []
    report_trouble(organization, alice)
    kinds.clear()
    troubles.end(organization.pk, "webhook", recovered=True)
    assert kinds == [NOTICES]
