"""A removal deletes all of an organization, whatever interrupts it, and nothing of others."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from connections.models import Connection
from connections.stores import store_backend
from messaging import media_files
from messaging.models import Media
from messaging.refusals import StorageUnavailable
from organizations.models import AuditEntry, Organization
from removal import actions, contents, steps
from removal.contents import KINDS
from removal.models import STORAGE_PROBLEM, Removal
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
