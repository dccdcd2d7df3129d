"""A removal deletes all of an organization, whatever interrupts it, and nothing of others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection as database
from django.utils import timezone
from pytest_django import Settings

from connections.models import Connection, Worker
from connections.stores import store_backend
from connections.worker import spools
from messaging import media_files
from messaging.models import Media
from messaging.refusals import StorageUnavailable
from messaging.tests.support.rows import lose_key
from organizations.models import AuditEntry, Organization
from removal import actions, contents, steps, worker
from removal.contents import KINDS
from removal.models import STORAGE_PROBLEM, Removal
from removal.status import status_of
from removal.tests.support import (
    ALICE,
    FILE,
    end_logout,
    fill,
    owning_models,
    rows_left,
    stored_files,
)

pytestmark = pytest.mark.django_db(transaction=True)

Action = AuditEntry.Action


class Killed(BaseException):
    """The process ends here."""


def run(organization_id: int) -> None:
    while steps.advance(organization_id):
        pass


def removing(organization: Organization) -> int:
    """Start a removal whose logout is over. Return the organization's id."""
    actions.start_removal(organization, ALICE, wait_for_logout=True)
    end_logout(organization.pk)
    return organization.pk


def test_removal_leaves_only_the_audit_and_its_own_row(
    filled: Organization, other_organization: Organization
) -> None:
    fill(other_organization)
    others = rows_left(other_organization.pk)
    counted = contents.count(filled.pk)
    # What grows is deleted in batches; the rest has one row for each organization.
    singles = {"Connection", "MessagingSettings", "OrganizationProxy", "Outbox", "EventCounter"}
    singles |= {"Retention"}
    grows = {model.__name__ for model, _ in owning_models()} - singles
    assert grows - {"ColleagueInvitation_organizations"} == {kind.model.__name__ for kind in KINDS}
    assert set(rows_left(filled.pk)) >= grows - {"ColleagueInvitation_organizations"}
    backend = store_backend()
    backend.create(filled.pk, "attempt-1")

    run(removing(filled))

    assert rows_left(filled.pk) == {}
    assert not Organization.objects.filter(pk=filled.pk).exists()
    assert filled.pk not in backend.organizations()
    assert rows_left(other_organization.pk) == others
    [file] = stored_files()
    assert Media.objects.get().stored_as == file
    removal = Removal.objects.get()
    assert (removal.organization_id, removal.name) == (filled.pk, "Acme")
    assert removal.finished_at is not None and removal.logout == "confirmed"
    assert removal.counts["messages"] == counted.counts["messages"] == 2
    assert removal.bytes_deleted == counted.media_bytes == len(FILE)
    entries = AuditEntry.objects.filter(organization_id=filled.pk)
    assert list(entries.values_list("action", "actor").order_by("pk")) == [
        ("token_created", "alice"),
        (Action.REMOVAL_STARTED, "alice"),
        (Action.TOKEN_REVOKED, "alice"),
        (Action.ORGANIZATION_REMOVED, "alice"),
    ]
    detail = entries.get(action=Action.ORGANIZATION_REMOVED).detail
    assert detail.startswith("Acme – messages: 2, people: 1, media: 1, ")


@pytest.mark.parametrize("before_commit", [True, False])
def test_removal_that_is_killed_anywhere_goes_on(
    filled: Organization, before_commit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    organization_id = removing(filled)
    expected = dict(contents.count(organization_id).counts)
    monkeypatch.setattr(steps, "BATCH", 1)
    save, kills = Removal.save, 0

    def save_and_die(removal: Removal, **options: Any) -> None:
        save(removal, **options)
        raise Killed

    while Removal.objects.unfinished().exists():
        assert kills < 100
        kills += 1
        if before_commit:
            # Each part once dies before its commit, and once goes on.
            with patch.object(Removal, "save", save_and_die), pytest.raises(Killed):
                steps.advance(organization_id)
        steps.advance(organization_id)
    assert kills > len(KINDS)
    assert rows_left(organization_id) == {} and stored_files() == []
    counts = Removal.objects.get().counts
    # The worker's own end of the connection adds to its history and to the feed.
    for name in ("messages", "people", "media", "deliveries", "webhooks", "tokens", "members"):
        assert counts[name] == expected[name], name
    assert AuditEntry.objects.filter(action=Action.ORGANIZATION_REMOVED).count() == 1


def test_nothing_is_deleted_before_the_logout_is_over(filled: Organization) -> None:
    actions.start_removal(filled, ALICE, wait_for_logout=True)
    before = rows_left(filled.pk)
    assert steps.unfinished() == [filled.pk]
    assert not steps.advance(filled.pk)
    assert rows_left(filled.pk) == before
    assert Connection.objects.get(pk=filled.pk).logout_required


def test_unconfirmed_logout_is_told_afterwards(filled: Organization) -> None:
    actions.start_removal(filled, ALICE, wait_for_logout=False)
    end_logout(filled.pk, confirmed=False)
    run(filled.pk)
    assert Removal.objects.get().logout == "unconfirmed"


def test_storage_that_fails_keeps_the_rows_of_its_files(filled: Organization) -> None:
    organization_id = removing(filled)
    with patch.object(media_files, "delete", side_effect=StorageUnavailable):
        with pytest.raises(StorageUnavailable):
            run(organization_id)
        steps.record_problem(organization_id, STORAGE_PROBLEM)
    assert Media.objects.filter(organization=organization_id).count() == 1
    assert Removal.objects.get().problem == "storage"
    run(organization_id)
    assert (Removal.objects.get().problem, stored_files()) == ("", [])


def test_what_needs_a_key_that_is_gone_is_removed(filled: Organization) -> None:
    organization_id = removing(filled)
    lose_key(organization_id)
    run(organization_id)
    assert rows_left(organization_id) == {} and stored_files() == []


def test_error_of_one_removal_stops_no_other(
    filled: Organization, other_organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(other_organization)
    broken, good = removing(filled), removing(other_organization)
    assert steps.unfinished() == [broken, good]
    advance, errors = steps.advance, [RuntimeError()]

    def fail_once(organization_id: int) -> bool:
        if organization_id == broken and errors:
            raise errors.pop()
        return advance(organization_id)

    monkeypatch.setattr(steps, "advance", fail_once)
    monkeypatch.setattr(worker, "PAUSE_SECONDS", 0)

    async def run_once() -> None:
        removals = worker.Removals()
        await removals.background_tasks["remove organizations"]()
        await removals.close()

    asyncio.run(run_once())
    assert steps.unfinished() == [broken]
    status = status_of(Removal.objects.get(pk=broken))
    assert status.problem.startswith("An error keeps it from going on")
    asyncio.run(run_once())
    assert steps.unfinished() == []


def test_worker_removes_what_another_machine_has_left(
    filled: Organization,
    other_organization: Organization,
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its worker was down while that of another machine carried the removal out."""
    run(removing(filled))
    store_backend().close()
    settings.DATA_DIR, settings.AUTH_SESSIONS = tmp_path, "folders"
    settings.AUTH_SESSIONS_DIR = tmp_path / "auth_sessions"
    monkeypatch.setattr(worker, "REMAINS_SECONDS", 0)
    backend = store_backend()
    unknown = 999_999
    numbers = (filled.pk, other_organization.pk, unknown)
    for number in numbers:
        backend.create(number, "attempt-1")
        for pairing in (True, False):
            spools.new_path(number, "attempt-1", pairing).write_text("a line\n")
        spools.put_aside(number, "a refused line")

    async def run_once() -> None:
        removals = worker.Removals()
        await removals.background_tasks["remove remains"]()
        await removals.close()

    asyncio.run(run_once())
    # Only what is known to be removed: a wrong DATABASE_URL must cost no credentials.
    assert spools.connections() == backend.organizations() == {other_organization.pk, unknown}
    assert steps.remove_remains() == 0
    actions.start_removal(other_organization, ALICE, wait_for_logout=True)
    assert steps.remove_remains() == 0


def earlier_worker() -> int:
    """Register a worker of an earlier version, which does not know the column. Return its id."""
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO connections_worker (name, started_at, heartbeat_at)"
            " VALUES ('earlier', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)"
        )
    return Worker.objects.get(name="earlier").pk


def test_logout_waits_for_the_end_of_workers_that_would_not_wait(
    filled: Organization, other_organization: Organization
) -> None:
    fill(other_organization)
    earlier = Worker.objects.filter(pk=earlier_worker())
    for organization in (filled, other_organization):
        actions.start_removal(organization, ALICE, wait_for_logout=True)
        run(organization.pk)
        connection = Connection.objects.get(pk=organization.pk)
        assert connection.store_name and not connection.logout_pending
        status = status_of(Removal.objects.get(pk=organization.pk))
        assert (status.stage, status.is_stuck) == ("logging_out", True)
        assert "A worker of an earlier version runs" in status.problem
        assert Organization.objects.get(pk=organization.pk).deactivated_at is not None
    # An administrator may decide not to wait: that is what such a worker does.
    actions.decide_logout(other_organization.pk, ALICE, wait_for_logout=True)
    assert not Connection.objects.get(pk=other_organization.pk).logout_pending
    actions.decide_logout(other_organization.pk, ALICE, wait_for_logout=False)
    assert Connection.objects.get(pk=other_organization.pk).logout_pending

    earlier.update(stopped_at=timezone.now())
    assert not steps.advance(filled.pk)
    connection = Connection.objects.get(pk=filled.pk)
    assert connection.logout_pending and connection.logout_required
    generation = connection.generation
    steps.advance(filled.pk)
    assert Connection.objects.get(pk=filled.pk).generation == generation
    end_logout(filled.pk)
    run(filled.pk)
    assert Removal.objects.get(pk=filled.pk).logout == "confirmed"
