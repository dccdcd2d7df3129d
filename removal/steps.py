"""Carries a removal out: small transactions, each of which deletes and counts.

There is no note of how far it has come: each call looks for the first kind of which there are
rows, so whatever interrupts it, the next call goes on.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from connections.lifecycle import Reason
from connections.models import Connection
from connections.stores import store_backend
from connections.worker import spools
from events import log
from messaging import media_files
from messaging.actions import outboxes
from messaging.models import Media
from organizations.audit import DETAIL_LENGTH
from organizations.encryption import without_encrypted
from organizations.models import AuditEntry, Organization
from removal import actions
from removal.contents import KINDS, Kind, describe
from removal.models import Removal, is_logging_out

# So many rows go in one transaction; fewer files, as each is a request to the storage.
BATCH, FILES_AT_ONCE = 1000, 50


def unfinished() -> list[int]:
    """Return the organizations that are being removed, the oldest removal first."""
    rows = Removal.objects.unfinished().order_by("requested_at", "pk")
    return list(rows.values_list("pk", flat=True))


def advance(organization_id: int) -> bool:
    """Do one part of a removal. Return whether more can be done now.

    Raises StorageUnavailable, StoreUnavailable and OSError; then nothing is lost or half done.
    """
    connection = Connection.objects.filter(pk=organization_id).first()
    if connection is not None and is_logging_out(connection):
        if not connection.logout_pending:
            actions.request_left_logout(organization_id)
        return False  # The connection's worker logs out and deletes the credentials.
    _record_logout(organization_id)
    for kind in KINDS:
        if _delete_some(organization_id, kind):
            return True
    # Again: a worker that was killed may have left a store.
    store_backend().delete(organization_id)
    spools.remove_all(organization_id)
    _finish(organization_id)
    return False


@transaction.atomic
def _record_logout(organization_id: int) -> None:
    """Note how the logout ended, before its history is deleted."""
    connection = Connection.objects.filter(pk=organization_id).first()
    removal = Removal.objects.select_for_update().get(pk=organization_id)
    if connection is not None and connection.reason == Reason.DISCONNECTED_UNCONFIRMED:
        removal.logout = Removal.Logout.UNCONFIRMED
    elif removal.logout == Removal.Logout.PENDING:
        removal.logout = Removal.Logout.CONFIRMED
    removal.save(update_fields=["logout"])


def _delete_some(organization_id: int, kind: Kind) -> int:
    """Delete some rows of a kind, and count them in the same transaction. Return how many."""
    rows = kind.rows(organization_id).order_by("pk")
    at_once = FILES_AT_ONCE if kind.model is Media else BATCH
    ids = list(rows.values_list("pk", flat=True)[:at_once])
    if not ids:
        return 0
    size = _delete_files(ids) if kind.model is Media else 0
    with transaction.atomic():
        removal = Removal.objects.select_for_update().get(pk=organization_id)
        if outboxes.lock(organization_id) is not None:
            log.lock(organization_id)
        found = kind.model._default_manager.filter(pk__in=ids)
        deleted = found.count()
        without_encrypted(found).delete()
        removal.counts[kind.name] = removal.counts.get(kind.name, 0) + deleted
        removal.bytes_deleted += size if deleted else 0
        removal.problem = ""
        removal.save(update_fields=["counts", "bytes_deleted", "problem"])
    return len(ids)


def _delete_files(ids: list[int]) -> int:
    """Delete the stored files of these rows of media. Return their size in bytes.

    Before their rows: a crash in between would leave files that nothing names.
    """
    size = 0
    for stored_as, bytes_stored in Media.objects.filter(pk__in=ids).values_list(
        "stored_as", "size"
    ):
        size += bytes_stored
        if stored_as:
            media_files.delete(stored_as)
    return size


@transaction.atomic
def _finish(organization_id: int) -> None:
    """Delete the organization itself, and audit what went with it."""
    removal = Removal.objects.select_for_update().unfinished().filter(pk=organization_id).first()
    if removal is None:
        return
    if organization := Organization.objects.filter(pk=organization_id).first():
        organization.delete()
    removal.finished_at, removal.problem = timezone.now(), ""
    removal.save(update_fields=["finished_at", "problem"])
    AuditEntry.objects.create(
        organization_id=organization_id,
        action=AuditEntry.Action.ORGANIZATION_REMOVED,
        detail=describe(removal.name, removal.counts)[:DETAIL_LENGTH],
        **removal.requester.columns,
    )


def remove_remains() -> int:
    """Remove what is on this machine of organizations whose removals are over. Return of how many.

    Another machine's worker has finished the removal: while this one's did not run, or had handed
    the organization over. Raises StoreUnavailable and OSError.
    """
    backend = store_backend()
    found = spools.connections() | backend.organizations()
    over = Removal.objects.filter(pk__in=found).exclude(finished_at=None)
    numbers = list(over.values_list("pk", flat=True))
    for number in numbers:
        backend.delete(number)
        spools.remove_all(number)
    return len(numbers)


@transaction.atomic
def record_problem(organization_id: int, code: str) -> None:
    """Record what keeps a removal from going on, for the page about it; "" for nothing."""
    Removal.objects.unfinished().filter(pk=organization_id).update(problem=code)
